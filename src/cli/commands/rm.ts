import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Io, say } from "../io.ts";
import { eachObject } from "../object-listing.ts";
import { progressLine } from "../progress.ts";
import { parseRemotePath, type RemotePath } from "../remote-path.ts";
import { reportFailures } from "../report-failures.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { inBucket, type Store, withStore } from "../store.ts";
import { counted } from "../text.ts";
import { patiently, type TransferFailure, transferAll } from "../transfers.ts";

export const command = defineCommand({
  name: "rm",
  summary: "Remove objects",
  usage: ["rm BUCKET/KEY…", "rm -r BUCKET/PREFIX/…"],
  options: {
    recursive: { type: "boolean", short: "r", help: "Everything below the prefix" },
    ...SERVER_OPTIONS,
  },
  examples: ["sluice rm photos/in/cat.jpg", "sluice rm -r photos/in/"],
  async run({ flags, positionals }, io) {
    const paths = expectArguments("rm [-r] BUCKET/KEY…", positionals, 1).map(parseRemotePath);
    for (const path of paths) checkPath(path, flags.recursive === true);
    return withStore(flags, io, async (store) => {
      const failures: TransferFailure[] = [];
      let removed = 0;
      for (const path of paths) {
        const result = await removeBelow(store, path, flags.recursive === true, io);
        failures.push(...result.failures);
        removed += result.removed;
      }
      say(io, `Removed ${counted(removed, "object")}`);
      return reportFailures(io, "remove", failures);
    });
  },
});

function checkPath({ bucket, key, isFolder }: RemotePath, recursive: boolean): void {
  if (key === "" && !recursive) {
    throw new SluiceError(
      "USAGE",
      `Cannot remove "${bucket}": it is a bucket (use: sluice rb ${bucket}; or to empty it: sluice rm -r ${bucket}/)`,
    );
  }
  if (isFolder && !recursive) {
    throw new SluiceError(
      "USAGE",
      `Cannot remove "${bucket}/${key}": it names a folder (use -r to remove everything in it)`,
    );
  }
}

async function removeBelow(store: Store, path: RemotePath, recursive: boolean, io: Io) {
  const { s3 } = store;
  const keys = recursive ? await keysBelow(store, path) : [await existing(store, path)];
  const progress = progressLine(io);
  let removed = 0;
  const failures = await transferAll(
    keys,
    (key) => key,
    async (key) => {
      await patiently(() => inBucket(path.bucket, () => s3.remove(path.bucket, key)));
      removed += 1;
      progress.update(() => `Removing ${removed} of ${keys.length}`);
    },
  );
  progress.clear();
  return { removed, failures };
}

/** A typing mistake must not pass for a removal, as S3's own answer would let it. */
async function existing({ s3 }: Store, { bucket, key }: RemotePath): Promise<string> {
  if ((await s3.head(bucket, key)) !== null) return key;
  const page = await inBucket(bucket, () => s3.list(bucket, { prefix: `${key}/`, limit: 1 }));
  const cure = page.objects.length > 0 ? `it is a folder: sluice rm -r ${bucket}/${key}/` : `see: sluice ls ${bucket}`;
  throw new SluiceError("OBJECT_UNKNOWN", `Cannot remove "${bucket}/${key}": there is no such object (${cure})`);
}

/** A prefix without a slash means the folder of that name, never everything that begins with it. */
async function keysBelow({ s3 }: Store, { bucket, key, isFolder }: RemotePath): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of eachObject(s3, bucket, isFolder ? key : `${key}/`)) keys.push(object.key);
  if (keys.length > 0 || key === "") return keys;
  throw new SluiceError(
    "OBJECT_UNKNOWN",
    `Cannot remove "${bucket}/${key}": there is nothing in it (see: sluice ls ${bucket})`,
  );
}
