import { randomBytes } from "node:crypto";
import { chmod, open, readdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { s3Of } from "../support/workflow.ts";

/** A disk that spoils bytes under a running server: what a person learns of it, and what a repair does. */

const MIB = 1024 * 1024;
const ORPHAN = "ab".repeat(16);
let server: RunningServer;
let blobs: string;

beforeAll(async () => {
  server = await startServer();
  blobs = join(server.data, "blobs");
  await server.cli(["mb", "work"]);
});
afterAll(() => server.stop());

async function put(Key: string, Body: Buffer): Promise<string> {
  const before = new Set(await files());
  await s3Of(server).send(new PutObjectCommand({ Bucket: "work", Key, Body }));
  return (await files()).find((name) => !before.has(name)) ?? "";
}

async function files(): Promise<string[]> {
  const names = await readdir(blobs, { recursive: true });
  return names.map((name) => name.slice(3)).filter((name) => name.length === 32);
}

const pathOf = (blob: string): string => join(blobs, blob.slice(0, 2), blob);

async function flipBit(blob: string, at: number): Promise<void> {
  await chmod(pathOf(blob), 0o600);
  const file = await open(pathOf(blob), "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([buffer.readUInt8(0) ^ 4]), 0, 1, at);
  await file.close();
}

async function check(...args: string[]) {
  const result = await server.cli(["store", "check", ...args]);
  return { ...result, lines: result.stdout.trimEnd().split("\n") };
}

async function findings(...args: string[]) {
  const { code, lines } = await check("--json", ...args);
  return { code, findings: lines.map((line) => JSON.parse(line)) };
}

describe("sluice store check", () => {
  it("says that all is well, and by a status that it is", async () => {
    await put("small", Buffer.from("in its row"));
    await put("large", Buffer.alloc(2 * MIB, 7));
    expect(await check()).toMatchObject({ code: 0, lines: ["Checked 2 blobs, 2.0 MiB: all is well"], stderr: "" });
    expect((await server.cli(["status"])).stdout).toMatch(/^Store {4}1 bucket, 2 objects$/m);
  });

  it("names a flipped bit, a deleted file and a file of nobody's, also as JSON, and changes nothing", async () => {
    const flipped = await put("in/flipped", Buffer.alloc(3 * MIB, 1));
    const gone = await put("in/gone", Buffer.alloc(MIB, 2));
    await flipBit(flipped, 2 * MIB + 5);
    await unlink(pathOf(gone));
    await writeFile(pathOf(ORPHAN), "of nobody");
    expect(await check()).toMatchObject({
      code: 1,
      lines: [
        `blob ${flipped}: block 2 does not match its checksum`,
        `blob ${gone}: its file is gone`,
        `blob ${ORPHAN}: no row names this file of 9 B`,
        "damaged: work/in/flipped: its bytes do not match their checksum",
        "damaged: work/in/gone: its file is gone",
        expect.stringMatching(/2 damaged blobs, 2 damaged objects, 1 file that nothing names$/),
        "Put damaged objects again, restore them from a backup, or delete them",
      ],
    });
    const told = await findings();
    expect(told.code).toBe(1);
    expect(told.findings).toMatchObject([
      { kind: "damaged", blob: flipped, damage: "bytes" },
      { kind: "damaged", blob: gone, damage: "missing" },
      { kind: "orphan", blob: ORPHAN, bytes: 9, removed: false },
      { kind: "object", bucket: "work", key: "in/flipped", versionId: "null", isLatest: true, damage: "bytes" },
      { kind: "object", bucket: "work", key: "in/gone", damage: "missing" },
      { kind: "end", blobs: 4, damaged: 2, objects: 2, orphans: 1, removed: 0 },
    ]);
    expect(await files()).toContain(ORPHAN);
    expect((await server.cli(["status"])).stdout).toContain("2 damaged (see: sluice store check)");
    const metrics = await fetch(`${server.api}/metrics`, { headers: { authorization: basic() } });
    expect(await metrics.text()).toMatch(/^sluice_store_damaged_blobs 2$/m);
  });

  it("--repair removes what is nobody's and mends what another object has; the rest stays an error, and stays", async () => {
    await put("copy of flipped", Buffer.alloc(3 * MIB, 1));
    const repaired = await findings("--repair");
    expect(repaired.code).toBe(1);
    expect(repaired.findings.at(-1)).toMatchObject({ damaged: 2, mended: 1, objects: 1, orphans: 1, removed: 1 });
    expect(await files()).not.toContain(ORPHAN);
    const folder = await newFolder("got");
    expect((await server.cli(["get", "work/in/flipped", folder])).code).toBe(0);
    expect((await server.cli(["get", "work/in/gone", folder])).code).not.toBe(0);
    expect((await server.cli(["ls", "work/in/"])).stdout).toContain("gone");
    await put("in/gone", Buffer.alloc(MIB, 2));
    expect(await check("--repair")).toMatchObject({ code: 0, lines: [expect.stringContaining("all is well")] });
  });

  it("--repair finds nothing wrong beside uploads, replacements, deletes and uploads in parts, and takes nothing away", async () => {
    const s3 = s3Of(server);
    const Bucket = "storm";
    await server.cli(["mb", Bucket]);
    let over = false;
    const kept = new Map<string, Buffer>();
    const writer = async (n: number): Promise<void> => {
      while (!over) {
        const Body = randomBytes(100_000 + n);
        await s3.send(new PutObjectCommand({ Bucket, Key: `replaced-${n}`, Body }));
        kept.set(`replaced-${n}`, Body);
        await s3.send(new PutObjectCommand({ Bucket, Key: `gone-${n}`, Body }));
        await s3.send(new DeleteObjectCommand({ Bucket, Key: `gone-${n}` }));
      }
    };
    const inParts = async (Key: string): Promise<void> => {
      for (let round = 0; !over; round++) {
        const upload = {
          Bucket,
          Key,
          UploadId: (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId,
        };
        const bodies = [randomBytes(5 * MIB), randomBytes(1000)];
        const parts = bodies.map(async (Body, index) => {
          const PartNumber = index + 1;
          return { PartNumber, ETag: (await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body }))).ETag };
        });
        const MultipartUpload = { Parts: await Promise.all(parts) };
        if (round % 2 === 1) await s3.send(new AbortMultipartUploadCommand(upload));
        else await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }));
        if (round % 2 === 0) kept.set(Key, Buffer.concat(bodies));
      }
    };
    const storm = Promise.all([0, 1, 2, 3].map(writer).concat(inParts("parts-1"), inParts("parts-2")));
    try {
      for (let checks = 0; checks < 4; checks++) {
        expect(await findings("--repair", "--rate", "1Gi")).toMatchObject({ code: 0, findings: [{ kind: "end" }] });
      }
    } finally {
      over = true;
      await storm;
    }
    expect(kept.size).toBe(6);
    for (const [Key, body] of kept) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(body), Key).toBe(true);
    }
    expect((await findings()).code).toBe(0);
  });

  it("tells that no server runs, and how to start one", async () => {
    const result = await server.cli(["store", "check"], { env: { SLUICE_ENDPOINT: "http://127.0.0.1:1" } });
    expect(result).toMatchObject({ code: 3, stderr: expect.stringContaining("npx sluice up") });
  });
});

function basic(): string {
  return `Basic ${Buffer.from(`${server.admin.user}:${server.admin.password}`).toString("base64")}`;
}
