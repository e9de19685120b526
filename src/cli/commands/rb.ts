import { SluiceError } from "../../core/errors.ts";
import { checkBucketName } from "../../core/keys.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { inBucket, type Store, withStore } from "../store.ts";

export const command = defineCommand({
  name: "rb",
  summary: "Remove buckets",
  usage: ["rb BUCKET… [--force]"],
  options: {
    force: { type: "boolean", help: "Remove what is in them too" },
    ...SERVER_OPTIONS,
  },
  examples: ["sluice rb scratch", "sluice rb scratch --force"],
  async run({ flags, positionals }, io) {
    const names = expectArguments("rb BUCKET… [--force]", positionals, 1);
    for (const name of names) checkBucketName(name);
    await withStore(flags, io, async (store) => {
      for (const name of names) {
        await inBucket(name, () => removeBucket(store, name, flags.force === true));
        say(io, `Removed the bucket ${name}`);
      }
    });
    return 0;
  },
});

async function removeBucket({ client, s3 }: Store, name: string, force: boolean): Promise<void> {
  if (force) return client.removeBucket(name, { data: true });
  await s3.removeBucket(name).catch((error: unknown) => {
    if (!(error instanceof SluiceError) || error.code !== "BUCKET_NOT_EMPTY") throw error;
    throw new SluiceError(
      error.code,
      `Cannot remove the bucket "${name}": it holds objects (use --force to remove them too)`,
    );
  });
}
