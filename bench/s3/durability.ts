import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "./servers.ts";

const CALLS = "openat,fsync,fdatasync,sync_file_range,syncfs,msync,rename,renameat,renameat2";
const ATTACHED_WITHIN_MS = 5000;
/** What a server does after its answer belongs to the write too. */
const SETTLE_MS = 300;

/** The calls with which a server makes one write durable, as strace saw them. */
export async function traced(server: Contender, write: () => Promise<unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-trace-"));
  const file = join(folder, "trace");
  const strace = spawn("strace", ["-f", "-p", String(server.pid), "-e", `trace=${CALLS}`, "-o", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    await attached(strace.stderr);
    await write();
    await sleep(SETTLE_MS);
    const ended = once(strace, "exit");
    strace.kill("SIGINT");
    await ended;
    return `${server.name.padEnd(9)} one PUT: ${summary(await readFile(file, "utf8"))}`;
  } catch (error) {
    strace.kill("SIGKILL");
    return `${server.name.padEnd(9)} not traced: ${error instanceof Error ? error.message : error}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function attached(stderr: NodeJS.ReadableStream): Promise<void> {
  await once(stderr, "data", { signal: AbortSignal.timeout(ATTACHED_WITHIN_MS) });
  await sleep(SETTLE_MS);
}

function summary(trace: string): string {
  const lines = trace.split("\n").filter((line) => !line.includes("resumed>"));
  const count = (what: RegExp): number => lines.filter((line) => what.test(line)).length;
  const seen = [
    ["fsync", count(/\bfsync\(/)],
    ["fdatasync", count(/\bfdatasync\(/)],
    ["syncfs", count(/\bsyncfs\(/)],
    ["open O_SYNC", count(/\bopenat\(.*O_D?SYNC/)],
    ["open O_DIRECT", count(/\bopenat\(.*O_DIRECT\b/)],
    ["rename", count(/\brename(at2?)?\(/)],
  ] as const;
  const found = seen.filter(([, times]) => times > 0).map(([name, times]) => `${times} ${name}`);
  return found.length === 0 ? "nothing is made durable" : found.join(", ");
}
