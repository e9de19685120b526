import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it } from "vitest";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { changeLog, s3Of } from "../support/workflow.ts";

/** Uploads in parts and deletes of many under kill -9: an object is whole or not there, what was acknowledged stays, and no bytes are left over. */

const MIB = 1024 * 1024;
const Bucket = "work";

let data = "";
let server: RunningServer;

afterEach(() => server.kill9().catch(() => undefined));

async function boot(env: Record<string, string> = {}): Promise<RunningServer> {
  server = await startServer({ data, env });
  return server;
}

async function fresh(): Promise<void> {
  data = `${await newFolder("s3-crash")}/data`;
  await boot();
  await server.cli(["mb", Bucket]);
}

/** Asks until it is answered, through any number of deaths of the server. A refusal is an answer. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

async function sendParts(Key: string, UploadId: string, bodies: readonly Buffer[]): Promise<CompletedPart[]> {
  return Promise.all(
    bodies.map(async (Body, index) => {
      const part = { Bucket, Key, UploadId, PartNumber: index + 1 };
      const { ETag, ChecksumCRC32 } = await untilAnswered(() =>
        s3Of(server).send(new UploadPartCommand({ ...part, Body })),
      );
      return { PartNumber: index + 1, ETag, ChecksumCRC32 };
    }),
  );
}

/** Sends an object in parts, however often the server dies. A completion whose answer was lost is asked for again. */
async function sendInParts(Key: string, bodies: readonly Buffer[]): Promise<void> {
  const { UploadId = "" } = await untilAnswered(() =>
    s3Of(server).send(new CreateMultipartUploadCommand({ Bucket, Key })),
  );
  const Parts = await sendParts(Key, UploadId, bodies);
  const complete = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
  await untilAnswered(() => s3Of(server).send(new CompleteMultipartUploadCommand(complete)));
}

async function read(Key: string): Promise<Buffer> {
  const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function blobFiles(): Promise<number> {
  const files = await readdir(join(data, "blobs"), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile()).length;
}

const keysOf = async (): Promise<string[]> => {
  const { Contents = [] } = await s3Of(server).send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key }) => Key ?? "");
};

describe("a server killed at a named point of an upload in parts", () => {
  it.each([
    ["part.staged", 2],
    ["part.committed", 2],
    ["complete.assembled", 1],
    ["complete.committed", 1],
  ])("%s (pass %i): the object is whole, there once, and nothing else is left", async (point, pass) => {
    await fresh();
    await server.stop();
    const doomed = await boot({ SLUICE_CRASH_AT: `${point}:${pass}` });
    const died = doomed.exited.then(async (code) => {
      expect(code).toBe("SIGKILL");
      await boot();
    });
    const bodies = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(1000)];
    await Promise.all([sendInParts("film", bodies), died]);
    expect((await read("film")).equals(Buffer.concat(bodies))).toBe(true);
    const made = (await changeLog(server)).filter((change) => change.kind === "object.created");
    expect(made).toHaveLength(1);
    await expect.poll(blobFiles, { timeout: 20_000 }).toBe(1);
  });
});

it("keeps every completed object whole through 12 kills at random instants", async () => {
  await fresh();
  const objects = new Map(
    Array.from({ length: 10 }, (_, n) => [
      `object-${n}`,
      [randomBytes(5 * MIB), randomBytes(5 * MIB + n), randomBytes(n)],
    ]),
  );
  let left = objects.size;
  const waiting = [...objects];
  const sending = Array.from({ length: 3 }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await sendInParts(next[0], next[1]);
      left -= 1;
    }
  });
  for (let kill = 0; kill < 12 || left > 0; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
    if (kill >= 12) continue;
    await server.kill9();
    await boot();
  }
  await Promise.all(sending);
  for (const [key, bodies] of objects) expect((await read(key)).equals(Buffer.concat(bodies))).toBe(true);
  const { Uploads = [] } = await s3Of(server).send(new ListMultipartUploadsCommand({ Bucket }));
  // An upload whose creation was answered to nobody stays open until somebody aborts it.
  expect(Uploads.every(({ Key = "" }) => objects.has(Key))).toBe(true);
  await expect.poll(blobFiles, { timeout: 20_000 }).toBe(objects.size);
});

it("deletes many at once or not at all", async () => {
  await fresh();
  const keys = Array.from({ length: 300 }, (_, n) => `k${n}`);
  for (const Key of keys) await s3Of(server).send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  await server.stop();
  const doomed = await boot({ SLUICE_CRASH_AT: "delete.committed" });
  const remove = () =>
    s3Of(server).send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.slice(0, 200).map((Key) => ({ Key })) } }),
    );
  await expect(remove()).rejects.toThrow();
  expect(await doomed.exited).toBe("SIGKILL");
  await boot();
  expect(await keysOf()).toEqual(keys.slice(200).toSorted());
  expect((await remove()).Deleted).toHaveLength(200);
});
