import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FakeRegistry, fakeRegistry } from "../../src/images/testing/fake-registry.ts";
import { programLayer } from "../support/program-image.ts";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { s3Of, settled } from "../support/workflow.ts";

/** Files as SCAR's users have them, through the real CLI, on this machine. */

let registry: FakeRegistry;
let server: RunningServer;
let folder: string;

beforeAll(async () => {
  registry = await fakeRegistry();
  registry.put("tools/words", "1", [programLayer(["/bin/sh", "/bin/cat", "/usr/bin/wc"], {})]);
  folder = await newFolder("scar");
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  await registry.close();
});

async function apply(text: string, scripts: Readonly<Record<string, string>>): Promise<{ out: string; said: string }> {
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(folder, name), script);
  await writeFile(join(folder, "functions.yaml"), text);
  const { code, stdout, stderr } = await server.cli(["apply", join(folder, "functions.yaml")]);
  expect(code, stderr).toBe(0);
  return { out: stdout, said: stderr };
}

const put = (bucket: string, key: string, body: string): Promise<unknown> =>
  s3Of(server).send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));

async function textOf(bucket: string, key: string): Promise<string> {
  const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? "";
}

it("two functions of AWS, one after the other, run here; what only AWS has is said", async () => {
  const { out, said } = await apply(
    `functions:
  aws:
  - lambda:
      name: scar-count
      memory: 128
      timeout: 60
      init_script: count.sh
      layers: [arn:aws:lambda:us-east-1:1:layer:x:1]
      container:
        image: ${registry.host}/tools/words:1
        environment: {Variables: {UNIT: words}}
      input:
      - storage_provider: s3
        path: scar-words/in
      output:
      - storage_provider: s3
        path: scar-words/counts
    iam: {role: "arn:aws:iam::1:role/x"}
  - lambda:
      name: scar-say
      execution_mode: batch
      init_script: say.sh
      container: {image: "${registry.host}/tools/words:1"}
      input:
      - {storage_provider: s3, path: scar-words/counts}
      output:
      - {storage_provider: s3, path: scar-words/said}
    batch: {vcpus: 1, memory: 128}
`,
    {
      "count.sh": 'echo "$(wc -w <"$INPUT_FILE_PATH") $UNIT" >"$TMP_OUTPUT_DIR/count.txt"\n',
      "say.sh": 'echo "there are $(cat "$INPUT_FILE_PATH")" >"$TMP_OUTPUT_DIR/said.txt"\n',
    },
  );
  expect(out).toBe("scar-count created\nscar-say created\n");
  expect(said).toContain('Service "scar-count": it is written for AWS');
  expect(said).toContain("without effect here: lambda.layers, iam");
  await put("scar-words", "in/text", "one two three");
  expect((await settled(server)).map(({ service, state }) => [service, state]).toSorted()).toEqual([
    ["scar-count", "SUCCEEDED"],
    ["scar-say", "SUCCEEDED"],
  ]);
  expect(await textOf("scar-words", "said/said.txt")).toBe("there are 3 words\n");
});

it("a function of SCAR's first files runs here", async () => {
  const { out } = await apply(
    `functions:
  scar-first:
    image: ${registry.host}/tools/words:1
    init_script: first.sh
    s3:
      input_bucket: scar-first-bucket
`,
    { "first.sh": 'cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/copy"\n' },
  );
  expect(out).toBe("scar-first created\n");
  await put("scar-first-bucket", "scar-first/input/file", "text");
  await settled(server);
  expect(await textOf("scar-first-bucket", "scar-first/output/copy")).toBe("text");
});
