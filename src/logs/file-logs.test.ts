import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Attempt } from "../core/job.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, silentLog } from "../lib/log.ts";
import { createFileLogs, type FileLogsOptions } from "./file-logs.ts";
import type { LogChunk, LogStore } from "./logs.ts";

let root: string;
const rows = new Map<string, Uint8Array>();
const open = new Set<string>();
const state: FileLogsOptions["state"] = {
  attemptLog: async (jobId, attempt) => rows.get(`${jobId}.${attempt}`) ?? null,
  attempts: async (jobId) =>
    [...open]
      .filter((id) => id.startsWith(`${jobId}.`))
      .map((id) => ({ jobId, number: Number(id.split(".").at(-1)), state: "LEASED" }) as Attempt),
};

const start = (options: Partial<FileLogsOptions> = {}): LogStore =>
  createFileLogs(root, { state, clock: systemClock, log: silentLog, ...options });
const files = (): string[] =>
  readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".log"));
async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
const chunks = (logs: LogStore, follow = false, signal?: AbortSignal): Promise<LogChunk[]> =>
  collect(logs.read("job-1", 1, { follow, ...(signal ? { signal } : {}) }));
const text = (list: readonly LogChunk[]): string => Buffer.concat(list.map(({ bytes }) => bytes)).toString();
const line = (n: number): Buffer => Buffer.from(`${String(n).padStart(7, "0")}\n`);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-logs-"));
  rows.clear();
  open.clear();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("a short log", () => {
  it("makes no file and is read from its row", async () => {
    let now = 1000;
    const logs = start({ clock: { now: () => now, monotonicMs: () => now } });
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("one\n"));
    now = 1234;
    writer.write(Buffer.from("two\n"));
    writer.write(Buffer.from("three\n"));
    const row = await writer.finish();
    rows.set("job-1.1", row ?? Buffer.alloc(0));
    await writer.release();
    expect(files()).toEqual([]);
    expect((await chunks(logs)).map(({ at, bytes }) => [at, Buffer.from(bytes).toString()])).toEqual([
      [1000, "one\n"],
      [1234, "two\nthree\n"],
    ]);
  });

  it("is in a file while the attempt runs, so that kill -9 loses little, and not after", async () => {
    const logs = start({ flushMs: 1 });
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("hello\n"));
    await expect.poll(() => files()).toHaveLength(1);
    // What a new process finds after kill -9.
    expect(text(await chunks(start()))).toBe("hello\n");
    writer.write(Buffer.from("end\n"));
    const row = await writer.finish();
    expect(files()).toHaveLength(1);
    expect(text(await chunks(logs))).toBe("hello\nend\n");
    rows.set("job-1.1", row ?? Buffer.alloc(0));
    await writer.release();
    expect(files()).toEqual([]);
    expect(text(await chunks(logs))).toBe("hello\nend\n");
  });

  it("may be empty", async () => {
    const logs = start();
    const writer = logs.writer("job-1", 1);
    expect(await writer.finish()).toHaveLength(0);
    await writer.release();
    expect(await chunks(logs)).toEqual([]);
  });

  it.each([0, 1, 2])("is written to its file when the server closes before it is in a row (%i)", async (step) => {
    const logs = start();
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("kept "));
    if (step > 1) await chunks(logs);
    writer.write(Buffer.from("too"));
    if (step > 0) await writer.finish();
    await logs.close();
    expect(text(await chunks(start()))).toBe("kept too");
  });
});

describe("a long log", () => {
  it("lies in its file", async () => {
    const logs = start({ inlineBytes: 100 });
    const writer = logs.writer("job-1", 1);
    const big = Buffer.alloc(300_000, "x");
    await writer.write(big);
    expect(await writer.finish()).toBeNull();
    expect(text(await chunks(logs))).toBe(big.toString());
    await writer.release();
    expect(text(await chunks(logs))).toBe(big.toString());
    expect(text(await chunks(logs, true))).toBe(big.toString());
  });

  it("keeps head and tail over the limit, and says how much is missing", async () => {
    const logs = start({ maxBytes: 8192, inlineBytes: 100 });
    const writer = logs.writer("job-1", 1);
    for (let n = 0; n < 10_000; n += 1) {
      writer.write(line(n));
      if (n % 50 === 0) await new Promise(setImmediate);
    }
    await writer.finish();
    for (const store of [logs, start()]) {
      const log = text(await chunks(store));
      expect(log.startsWith("0000000\n0000001\n")).toBe(true);
      expect(log.endsWith("0009999\n")).toBe(true);
      const missing = Number(/\nsluice: (\d+) bytes of output are missing here/.exec(log)?.[1]);
      const kept = log.split("\n").filter((part) => /^\d{7}$/.test(part)).length * 8;
      expect(missing + kept).toBe(80_000);
      expect(kept).toBeGreaterThan(2000);
    }
    const used = files().reduce((sum, file) => sum + statSync(join(root, file)).size, 0);
    expect(used).toBeLessThanOrEqual(8192);
    expect(files()).toHaveLength(5);
  });

  it("holds the writer back while the disk is behind", async () => {
    const writer = start().writer("job-1", 1);
    expect(writer.write(Buffer.alloc(1000))).toBeUndefined();
    expect(writer.write(Buffer.alloc(400_000))).toBeInstanceOf(Promise);
    await writer.discard();
    expect(files()).toEqual([]);
  });

  it("loses what the disk refuses, says so once, and goes on", async () => {
    const warnings: string[] = [];
    const log = createLog("warn", (entry) => warnings.push(entry));
    const logs = start({ maxBytes: 4096, inlineBytes: 10, log });
    const writer = logs.writer("job-1", 1);
    await writer.write(Buffer.alloc(300_000, "h"));
    const folder = dirname(join(root, files()[0] ?? ""));
    rmSync(folder, { recursive: true });
    await writer.write(Buffer.alloc(300_000, "l"));
    await writer.write(Buffer.alloc(300_000, "l"));
    mkdirSync(folder);
    await writer.write(Buffer.alloc(300_000, "t"));
    await writer.finish();
    expect(text(await chunks(logs))).toMatch(/^\nsluice: \d+ bytes of output are missing here.*\nt+$/);
    expect(warnings).toHaveLength(1);
    expect(JSON.parse(warnings[0] ?? "")).toMatchObject({ job: "job-1", attempt: 1, error: { code: "ENOENT" } });
  });

  it("ends at a record that a crash tore", async () => {
    const logs = start({ inlineBytes: 10 });
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("all of this\n"));
    await writer.finish();
    await writer.release();
    appendFileSync(join(root, files()[0] ?? ""), Buffer.from("000000000000000000000000ffff", "hex"));
    expect(text(await chunks(logs))).toBe("all of this\n");
  });
});

describe("following", () => {
  it("sees everything from the start, live, and ends with the writer", async () => {
    const logs = start({ flushMs: 60_000 });
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("1\n"));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { bytes } of logs.read("job-1", 1, { follow: true })) seen.push(Buffer.from(bytes).toString());
    })();
    await expect.poll(() => seen.join("")).toBe("1\n");
    writer.write(Buffer.from("2\n"));
    await expect.poll(() => seen.join("")).toBe("1\n2\n");
    writer.write(Buffer.from("3\n"));
    await writer.finish();
    await writer.release();
    await reading;
    expect(seen.join("")).toBe("1\n2\n3\n");
  });

  it.each([100, 1_000_000])("passes each byte once to many readers, inline up to %i bytes", async (inlineBytes) => {
    const logs = start({ inlineBytes, flushMs: 1 });
    const writer = logs.writer("job-1", 1);
    const reading = [chunks(logs, true), chunks(logs, true)];
    for (let n = 0; n < 3000; n += 1) {
      await writer.write(line(n));
      if (n % 100 === 0) await new Promise(setImmediate);
      if (n === 1500) reading.push(chunks(logs, true));
    }
    await writer.finish();
    await writer.release();
    const whole = Array.from({ length: 3000 }, (_, n) => line(n)).join("");
    for (const read of reading) expect(text(await read)).toBe(whole);
  });

  it("is not held up by a slow reader, who hears what was missed", async () => {
    const logs = start({ maxBytes: 8192, inlineBytes: 100, flushMs: 1 });
    const writer = logs.writer("job-1", 1);
    writer.write(line(0));
    const slow = logs.read("job-1", 1, { follow: true })[Symbol.asyncIterator]();
    const first = await slow.next();
    for (let n = 1; n < 10_000; n += 1) {
      writer.write(line(n));
      if (n % 50 === 0) await new Promise(setImmediate);
    }
    await writer.finish();
    await writer.release();
    const rest = await collect({ [Symbol.asyncIterator]: () => slow });
    const log = text([first.value, ...rest]);
    expect(log).toMatch(/^0000000\n0000001\n[\s\S]*bytes of output are missing here[\s\S]*0009999\n$/);
  });

  it("stops when its reader goes away", async () => {
    const logs = start();
    logs.writer("job-1", 1).write(Buffer.from("x"));
    const gone = new AbortController();
    const reading = chunks(logs, true, gone.signal);
    gone.abort();
    await reading;
    await logs.close();
  });

  it("waits for an attempt that was leased and has not begun", async () => {
    const logs = start();
    open.add("job-1.1");
    const reading = chunks(logs, true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const writer = logs.writer("job-1", 1);
    writer.write(Buffer.from("late"));
    await writer.finish();
    expect(text(await reading)).toBe("late");
  });

  it("ends with the store", async () => {
    const logs = start();
    open.add("job-1.1");
    const reading = chunks(logs, true);
    await logs.close();
    expect(await reading).toEqual([]);
  });

  it("of an attempt that nobody knows ends at once", async () => {
    expect(await chunks(start(), true)).toEqual([]);
  });
});

describe("remove", () => {
  it("takes every attempt and segment of the job, and nothing of another", async () => {
    const logs = start({ maxBytes: 4096, inlineBytes: 10 });
    for (const [job, attempt] of [
      ["job-1", 1],
      ["job-1", 12],
      ["job-11", 1],
    ] as const) {
      const writer = logs.writer(job, attempt);
      for (let n = 0; n < 2000; n += 1) await writer.write(line(n));
      await writer.finish();
      await writer.release();
    }
    await logs.remove(["job-1", "job-2"]);
    expect(files().every((file) => file.includes("job-11.1.log"))).toBe(true);
    expect(files().length).toBeGreaterThan(1);
  });
});
