import { checkBucketName } from "../../core/keys.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { say } from "../io.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { withStore } from "../store.ts";

export const command = defineCommand({
  name: "mb",
  summary: "Make buckets",
  usage: ["mb BUCKET…"],
  description: ["The buckets that a service names are made by `sluice apply`."],
  options: { ...SERVER_OPTIONS },
  examples: ["sluice mb photos"],
  async run({ flags, positionals }, io) {
    const names = expectArguments("mb BUCKET…", positionals, 1);
    for (const name of names) checkBucketName(name);
    await withStore(flags, io, async ({ s3 }) => {
      for (const name of names) {
        await s3.createBucket(name);
        say(io, `Made the bucket ${name}`);
      }
    });
    return 0;
  },
});
