import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { startServer } from "../test/support/server.ts";
import { applyServices, s3Of, settled } from "../test/support/workflow.ts";
import type { Bench, BenchResult } from "./bench.ts";
import { percentile } from "./statistics.ts";

const SAMPLES = 200;
const WARM_UP = 10;

/** The script's first act is to touch a file; what it then writes is that file's modification time in seconds. */
const SCRIPT = ': > "$TMPDIR/started"\nstat -c %.9Y "$TMPDIR/started" > "$TMP_OUTPUT_DIR/$FILE_NAME"\n';

let measured: Promise<{ delays: number[]; floor: number }> | null = null;

/** Milliseconds from the answer to a PUT to the script's first line, on an otherwise idle machine. One run serves both percentiles.
 *  The floor is what the plainest sandbox takes to start and end on this machine. */
function measure(): Promise<{ delays: number[]; floor: number }> {
  measured ??= run();
  return measured;
}

async function run(): Promise<{ delays: number[]; floor: number }> {
  const server = await startServer();
  try {
    await applyServices(server, [{ name: "start", script: SCRIPT, input: "work/in", output: "work/out" }]);
    const s3 = s3Of(server);
    const answered: number[] = [];
    for (let n = 0; n < SAMPLES + WARM_UP; n++) {
      await s3.send(new PutObjectCommand({ Bucket: "work", Key: `in/${n}`, Body: "x" }));
      answered.push(performance.timeOrigin + performance.now());
      await sleep(40 + Math.random() * 20);
    }
    await settled(server);
    const delays: number[] = [];
    for (let n = WARM_UP; n < SAMPLES + WARM_UP; n++) {
      const got = await s3.send(new GetObjectCommand({ Bucket: "work", Key: `out/${n}` }));
      delays.push(Number(await got.Body?.transformToString()) * 1000 - (answered[n] ?? 0));
    }
    return { delays, floor: plainSandboxMs() };
  } finally {
    await server.stop();
  }
}

function plainSandboxMs(): number {
  const times = Array.from({ length: 50 }, () => {
    const before = performance.now();
    spawnSync("bwrap", [
      "--unshare-all",
      "--die-with-parent",
      "--ro-bind",
      "/usr",
      "/usr",
      "--symlink",
      "usr/bin",
      "/bin",
      "--symlink",
      "usr/lib",
      "/lib",
      "--symlink",
      "usr/lib64",
      "/lib64",
      "--proc",
      "/proc",
      "--dev",
      "/dev",
      "/bin/sh",
      "-c",
      ":",
    ]);
    return performance.now() - before;
  });
  return percentile(times, 0.5);
}

function result(delays: readonly number[], floor: number, share: number, targetMs: number): BenchResult {
  const value = percentile(delays, share);
  const spread = [0.01, 0.5, 0.9, 0.99].map((at) => `p${at * 100} ${percentile(delays, at).toFixed(1)}`).join(", ");
  return {
    value,
    floor,
    ratio: value / floor,
    target: `≤ ${targetMs} ms`,
    ok: value <= targetMs,
    notes: [`${delays.length} samples: ${spread} ms`],
  };
}

export const putToStartP50: Bench = {
  name: "put-to-start-p50",
  unit: "ms",
  run: async () => {
    const { delays, floor } = await measure();
    return result(delays, floor, 0.5, 20);
  },
};

export const putToStartP99: Bench = {
  name: "put-to-start-p99",
  unit: "ms",
  run: async () => {
    const { delays, floor } = await measure();
    return result(delays, floor, 0.99, 100);
  },
};
