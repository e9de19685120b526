import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { MEGABYTE, residentBytes } from "../test/support/process-memory.ts";
import { newFolder, type RunningServer, startServer } from "../test/support/server.ts";
import { api, applyServices, s3Of, settled } from "../test/support/workflow.ts";
import type { Bench, BenchResult } from "./bench.ts";

function bound(bytes: number, mostMegabytes: number, notes: string[]): BenchResult {
  const value = bytes / MEGABYTE;
  return { value, floor: null, ratio: null, target: `≤ ${mostMegabytes} MB`, ok: value <= mostMegabytes, notes };
}

async function withServer<T>(task: (server: RunningServer) => Promise<T>): Promise<T> {
  const server = await startServer();
  try {
    return await task(server);
  } finally {
    await server.stop();
  }
}

/** The most that a server without work ever had resident, 5 s after it was ready. */
export const rssIdle: Bench = {
  name: "rss-idle",
  unit: "MB",
  run: () =>
    withServer(async (server) => {
      await sleep(5000);
      const now = (await residentBytes(server.pid, "VmRSS")) / MEGABYTE;
      return bound(await residentBytes(server.pid, "VmHWM"), 120, [`resident now: ${now.toFixed(0)} MB`]);
    }),
};

const QUEUED = 100_000;
const OBJECTS = 1000;

/** What 100,000 waiting jobs add to the most that was ever resident. They come as event bodies that each name 1,000 objects. */
export const rss100kQueued: Bench = {
  name: "rss-100k-queued",
  unit: "MB",
  run: () =>
    withServer(async (server) => {
      await applyServices(server, [{ name: "waits", script: "sleep 3600\n", more: { concurrency: "1" } }]);
      const s3 = s3Of(server);
      const keys = Array.from({ length: OBJECTS }, (_, n) => `data/${n}`);
      await api(server, "/system/buckets", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"bucket_name":"work"}',
      });
      for (const key of keys) await s3.send(new PutObjectCommand({ Bucket: "work", Key: key, Body: "x" }));
      const record = (key: string) => ({
        eventSource: "minio:s3",
        eventTime: new Date().toISOString(),
        eventName: "s3:ObjectCreated:Put",
        s3: { bucket: { name: "work" }, object: { key } },
      });
      const body = JSON.stringify({ Records: keys.map(record) });
      const submit = async () => {
        const answer = await api(server, "/job/waits", { method: "POST", body });
        if (answer.status !== 201) throw new Error(`POST /job answered ${answer.status}: ${await answer.text()}`);
        await answer.arrayBuffer();
      };
      await submit();
      const before = await residentBytes(server.pid, "VmHWM");
      const started = performance.now();
      for (let n = 1; n < QUEUED / OBJECTS; n++) await submit();
      const seconds = (performance.now() - started) / 1000;
      await sleep(2000);
      const after = await residentBytes(server.pid, "VmHWM");
      return bound(after - before, 50, [
        `from ${(before / MEGABYTE).toFixed(0)} to ${(after / MEGABYTE).toFixed(0)} MB; ${Math.round((QUEUED - OBJECTS) / seconds)} jobs/s accepted`,
      ]);
    }),
};

const GIB = 1024 ** 3;

/** The most that was ever resident while a file of 2 GiB went in, through a job that copies it, and out again. */
export const rss2gib: Bench = {
  name: "rss-2gib",
  unit: "MB",
  run: () =>
    withServer(async (server) => {
      const folder = await newFolder("rss");
      try {
        const file = join(folder, "large.bin");
        await writeLarge(file, 2 * GIB);
        await applyServices(server, [
          {
            name: "copy",
            script: 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/copy.bin"\n',
            input: "work/in",
            output: "work/out",
          },
        ]);
        for (const step of [["put", file, "work/in/"], null, ["get", "work/out/copy.bin", join(folder, "back.bin")]]) {
          if (step === null) {
            const failed = (await settled(server, 300_000)).filter((job) => job.state !== "SUCCEEDED");
            if (failed[0]) throw new Error(`The copy failed: ${failed[0].message}`);
            continue;
          }
          const done = await server.cli(step, { timeoutMs: 300_000 });
          if (done.code !== 0) throw new Error(`sluice ${step[0]} ended with ${done.code}: ${done.stderr}`);
        }
        return bound(await residentBytes(server.pid, "VmHWM"), 300, []);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
};

async function writeLarge(file: string, bytes: number): Promise<void> {
  const block = Buffer.alloc(1024 * 1024, "0123456789abcdef");
  await pipeline(function* () {
    for (let sent = 0; sent < bytes; sent += block.length) yield block;
  }, createWriteStream(file));
}
