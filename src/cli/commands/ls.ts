import type { ListedObject } from "../../client/s3-answers.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { FORMAT_OPTION, type Format, parseFormat, printListing } from "../listing.ts";
import { eachObject, type FolderListing, listFolder } from "../object-listing.ts";
import { parseRemotePath, type RemotePath } from "../remote-path.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { type Store, withStore } from "../store.ts";
import { bytesText, localTime } from "../units.ts";

export const command = defineCommand({
  name: "ls",
  summary: "List buckets or objects",
  usage: ["ls", "ls BUCKET[/PREFIX] [-r]"],
  options: {
    recursive: { type: "boolean", short: "r", help: "Everything below, not only one level" },
    ...FORMAT_OPTION,
    ...SERVER_OPTIONS,
  },
  examples: ["sluice ls", "sluice ls photos/in/", "sluice ls -r photos -o name"],
  async run({ flags, positionals }, io) {
    const [where] = expectArguments("ls [BUCKET[/PREFIX]]", positionals, 0, 1);
    const format = parseFormat(flags.output);
    await withStore(flags, io, async (store) => {
      if (where === undefined) return listBuckets(store, format, io);
      const path = parseRemotePath(where);
      return flags.recursive === true ? listAll(store, path, format, io) : listOne(store, path, format, io);
    });
    return 0;
  },
});

async function listBuckets({ client }: Store, format: Format, io: Io): Promise<void> {
  const buckets = await client.listBuckets();
  await printListing(io, format, {
    raw: buckets,
    items: buckets,
    columns: [
      { title: "BUCKET", value: (bucket) => bucket.bucket_name, flexible: true },
      { title: "OWNER", value: (bucket) => bucket.owner, flexible: true },
      { title: "CREATED", value: (bucket) => localTime(bucket.created_at) },
    ],
    name: (bucket) => bucket.bucket_name,
    empty: "No buckets (make one with: sluice mb NAME)",
  });
}

async function listOne({ s3 }: Store, path: RemotePath, format: Format, io: Io): Promise<void> {
  await print(path, await listFolder(s3, path), format, io);
}

async function listAll({ s3 }: Store, path: RemotePath, format: Format, io: Io): Promise<void> {
  const objects: ListedObject[] = [];
  for await (const object of eachObject(s3, path.bucket, path.key)) objects.push(object);
  await print(path, { folders: [], objects }, format, io);
}

interface Row {
  readonly key: string;
  readonly object: ListedObject | null;
}

async function print({ bucket, key }: RemotePath, listing: FolderListing, format: Format, io: Io): Promise<void> {
  const items: Row[] = [
    ...listing.folders.map((folder) => ({ key: folder, object: null })),
    ...listing.objects.map((object) => ({ key: object.key, object })),
  ];
  const objects = listing.objects.map((object) => ({
    key: object.key,
    size_bytes: object.sizeBytes,
    etag: object.etag,
    last_modified: object.lastModified,
  }));
  await printListing(io, format, {
    raw: { bucket, prefix: key, folders: listing.folders, objects },
    items,
    columns: [
      { title: "SIZE", value: ({ object }) => (object === null ? "" : bytesText(object.sizeBytes)), align: "right" },
      { title: "CHANGED", value: ({ object }) => (object === null ? "" : localTime(object.lastModified)) },
      { title: "KEY", value: (row) => row.key, flexible: true },
    ],
    name: (row) => row.key,
    empty: `Nothing in ${bucket}/${key} (upload with: sluice put FILE ${bucket}/${key})`,
  });
}
