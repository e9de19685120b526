import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect } from "vitest";
import type { RunningServer } from "../../support/server.ts";
import { applyServices, s3Of, settled } from "../../support/workflow.ts";
import { LIST_TREE, treeLines } from "./tree.ts";

let services = 0;

/** What a job on an image with a shell sees below these folders of its root, as `treeLines`. */
export async function treeInJob(server: RunningServer, image: string, folders: readonly string[]): Promise<string[]> {
  services += 1;
  const name = `tree-${services}`;
  const script = `cd / && set -- ${folders.join(" ")} && { ${LIST_TREE} } >"$TMP_OUTPUT_DIR/tree"\n`;
  const more = { image: JSON.stringify(image), network: "none" };
  await applyServices(server, [{ name, script, input: `${name}/in`, output: `${name}/out`, more }]);
  await s3Of(server).send(new PutObjectCommand({ Bucket: name, Key: "in/file", Body: "x" }));
  const jobs = (await settled(server)).filter(({ service }) => service === name);
  expect(jobs).toMatchObject([{ state: "SUCCEEDED", message: "" }]);
  const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket: name, Key: "out/tree" }));
  return treeLines((await Body?.transformToString()) ?? "");
}
