import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ListMultipartUploadsCommand, ListPartsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cleanEnv, newFolder, type RunningServer, SLUICE_BIN, startServer } from "../support/server.ts";
import { changeLog, s3Of } from "../support/workflow.ts";

/** Large files through the command line: in parts, and on from where they were cut, whoever died. */

const MIB = 1024 * 1024;
const SIZE = 200 * MIB + 12_345;

let server: RunningServer;
let folder: string;
let bytes: Buffer;

beforeAll(async () => {
  folder = await newFolder("large");
  server = await startServer({ data: `${folder}/data` });
  bytes = randomBytes(SIZE);
  await writeFile(join(folder, "film.bin"), bytes);
  await server.cli(["mb", "films"]);
});
afterAll(() => server.stop());

/** How many parts the store has of an upload under the key; null when there is no open upload. */
async function partsThere(Key: string): Promise<number | null> {
  const s3 = s3Of(server);
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: "films", Prefix: Key }));
  const [upload] = Uploads;
  if (upload === undefined) return null;
  const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket: "films", Key, UploadId: upload.UploadId }));
  return Parts.length;
}

async function untilParts(Key: string, least: number): Promise<void> {
  await expect
    .poll(async () => (await partsThere(Key)) ?? 0, { timeout: 30_000, interval: 5 })
    .toBeGreaterThanOrEqual(least);
}

async function isWhole(Key: string): Promise<void> {
  const target = join(folder, `back-${Key}`);
  const got = await server.cli(["get", `films/${Key}`, target]);
  expect(got.stderr).not.toContain("sluice:");
  expect((await readFile(target)).equals(bytes)).toBe(true);
}

it("goes up in parts and comes back whole", async () => {
  const put = await server.cli(["put", "film.bin", "films/plain"], { cwd: folder });
  expect(put).toMatchObject({ code: 0 });
  expect(await partsThere("plain")).toBeNull();
  await isWhole("plain");
});

it("goes on after the command was killed, and sends only what is missing", async () => {
  const child = spawn(process.execPath, [SLUICE_BIN, "put", "film.bin", "films/killed"], {
    cwd: folder,
    env: { ...cleanEnv(), ...server.env },
    stdio: "ignore",
  });
  await untilParts("killed", 3);
  child.kill("SIGKILL");
  const before = (await partsThere("killed")) ?? 0;
  expect(before).toBeLessThan(13);
  expect(await server.cli(["put", "film.bin", "films/killed"], { cwd: folder })).toMatchObject({ code: 0 });
  expect(await partsThere("killed")).toBeNull();
  await isWhole("killed");
  const made = (await changeLog(server)).filter(({ kind, key }) => kind === "object.created" && key === "films/killed");
  expect(made).toHaveLength(1);
});

it("sends what the file has other bytes of since the command was killed", async () => {
  const child = spawn(process.execPath, [SLUICE_BIN, "put", "film.bin", "films/changed"], {
    cwd: folder,
    env: { ...cleanEnv(), ...server.env },
    stdio: "ignore",
  });
  await untilParts("changed", 3);
  child.kill("SIGKILL");
  bytes.write("other", 100);
  const file = await open(join(folder, "film.bin"), "r+");
  await file.write(Buffer.from("other"), 0, 5, 100);
  await file.close();
  expect(await server.cli(["put", "film.bin", "films/changed"], { cwd: folder })).toMatchObject({ code: 0 });
  await isWhole("changed");
});
