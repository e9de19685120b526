import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { applyServices, s3Of, settled } from "../support/workflow.ts";
import { busyboxLayer, layerOf, putProgram, writeLayout } from "./support/images.ts";

/** No image with the C library of CentOS 7 is to be had from the registries that tests may use. What can break such an image here are the calls that
 *  its library makes of the kernel and ours does no more: a filter of calls may not know them. Other processors than x86-64 never had most of them. */

const SOURCE = new URL("../fixtures/old-calls/old-calls.c", import.meta.url).pathname;

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-old-"));
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

it.skipIf(process.arch !== "x64")(
  "what programs of glibc 2.17's time ask of the kernel works in an image",
  async () => {
    const program = join(folder, "old-calls");
    execFileSync("gcc", ["-static", "-Wno-deprecated-declarations", "-o", program, SOURCE]);
    const layout = join(folder, "layout");
    writeLayout(layout, [busyboxLayer(), layerOf((root) => putProgram(root, program, "bin/old-calls"))]);
    const script = 'cd "$(mktemp -d)" && old-calls >"$TMP_OUTPUT_DIR/said"\n';
    const more = { image: `"file:${layout}"`, network: "none" };
    await applyServices(server, [{ name: "old", script, input: "old/in", output: "old/out", more }]);
    await s3Of(server).send(new PutObjectCommand({ Bucket: "old", Key: "in/file", Body: "x" }));
    expect(await settled(server)).toMatchObject([{ state: "SUCCEEDED", message: "" }]);
    const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket: "old", Key: "out/said" }));
    const said = (await Body?.transformToString()) ?? "";
    const calls = said.split("\n").filter((line) => line !== "" && !line.startsWith("vsyscall"));
    expect(calls.filter((line) => !line.endsWith(": works"))).toEqual([]);
    // As outside, where the kernel may have been told to do without the page at the fixed address.
    expect(said).toBe(execFileSync(program, { cwd: mkdtempSync(join(folder, "here-")), encoding: "utf8" }));
  },
);
