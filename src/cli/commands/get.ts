import { realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { ListedObject } from "../../client/s3-answers.ts";
import { SluiceError } from "../../core/errors.ts";
import { isFolderMarker } from "../../core/keys.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Download, type DownloadSource, FolderMaker, saveObject } from "../download.ts";
import { type Io, say } from "../io.ts";
import { localPath, planLocalPaths } from "../local-path.ts";
import { eachObject } from "../object-listing.ts";
import { parseRemotePath, type RemotePath } from "../remote-path.ts";
import { reportFailures } from "../report-failures.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { inBucket, type Store, withStore } from "../store.ts";
import { printable } from "../text.ts";
import type { TransferFailure } from "../transfers.ts";
import { watchTransfers } from "../watched-transfers.ts";

const USAGE = "get BUCKET/KEY-or-PREFIX/ PATH";

export const command = defineCommand({
  name: "get",
  summary: "Download objects and folders",
  usage: ["get BUCKET/KEY PATH", "get BUCKET/PREFIX/ FOLDER"],
  description: [
    "A file appears under its name when it is whole and its checksum is right. Run a download that was cut again: it goes on where it ended.",
    "No key leads out of the folder: names such as `..` are changed to safe ones.",
  ],
  options: { ...SERVER_OPTIONS },
  examples: ["sluice get photos/thumbs/cat.jpg .", "sluice get photos/thumbs/ results/"],
  async run({ flags, positionals }, io) {
    const [from = "", to = ""] = expectArguments(USAGE, positionals, 2, 2);
    const source = parseRemotePath(from);
    return withStore(flags, io, async (store) => {
      const folder = resolve(io.cwd, to);
      const plan = source.isFolder ? await planFolder(store, source, folder) : await planOne(store, source, to, io);
      return saveAll(store, plan, to, io);
    });
  },
});

interface Plan {
  readonly downloads: readonly Download[];
  readonly failures: readonly TransferFailure[];
}

async function planOne({ s3 }: Store, { bucket, key }: RemotePath, to: string, io: Io): Promise<Plan> {
  const facts = await inBucket(bucket, () => s3.head(bucket, key));
  if (facts === null) {
    const page = await inBucket(bucket, () => s3.list(bucket, { prefix: `${key}/`, limit: 1 }));
    const cure =
      page.objects.length > 0 ? `it is a folder, add a slash: ${bucket}/${key}/` : `see: sluice ls ${bucket}`;
    throw new SluiceError("OBJECT_UNKNOWN", `Cannot get "${bucket}/${key}": there is no such object (${cure})`);
  }
  const path = resolve(io.cwd, to);
  const isFolder = to.endsWith("/") || (await isDirectory(path));
  const file = isFolder ? resolve(path, localPath(basename(key))) : await behindLink(path);
  await new FolderMaker(dirname(file)).make("");
  return { downloads: [{ bucket, key, path: file, sizeBytes: facts.sizeBytes, etag: facts.etag }], failures: [] };
}

/** A link that the user names is followed; what it names is written. */
const behindLink = (path: string): Promise<string> => realpath(path).catch(() => path);

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );

async function planFolder({ s3 }: Store, { bucket, key: prefix }: RemotePath, folder: string): Promise<Plan> {
  const objects: ListedObject[] = [];
  for await (const object of eachObject(s3, bucket, prefix)) objects.push(object);
  if (objects.length === 0) {
    throw new SluiceError(
      "OBJECT_UNKNOWN",
      `Cannot get "${bucket}/${prefix}": there is nothing in it (see: sluice ls ${bucket})`,
    );
  }
  const files = objects.filter(({ key }) => !isFolderMarker(key));
  const { paths, refused } = planLocalPaths(
    files.map(({ key }) => key),
    prefix,
  );
  const failures = [...refused].map(([name, why]) => ({ name, error: new SluiceError("KEY_INVALID", why) }));
  const folders = new FolderMaker(folder);
  await folders.make("");
  const downloads: Download[] = [];
  for (const { key, sizeBytes, etag } of files) {
    const path = paths.get(key);
    if (path === undefined) continue;
    await folders.makeFor(path);
    downloads.push({ bucket, key, path: resolve(folder, path), sizeBytes, etag });
  }
  return { downloads, failures };
}

async function saveAll({ s3 }: Store, { downloads, failures: before }: Plan, to: string, io: Io): Promise<number> {
  const source: DownloadSource = {
    open: async ({ bucket, key, etag }, from) =>
      (await inBucket(bucket, () => s3.get(bucket, key, { from, ifMatch: etag }))).body,
    crc32: async ({ bucket, key }) => (await inBucket(bucket, () => s3.head(bucket, key)))?.crc32 ?? null,
  };
  const { failures, amount, took } = await watchTransfers(
    io,
    downloads,
    (each) => each.key,
    (each, onBytes) => saveObject(each, source, onBytes),
  );
  say(io, `Downloaded ${amount}, to ${printable(to)} in ${took}`);
  return reportFailures(io, "download", [...before, ...failures]);
}
