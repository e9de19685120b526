import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { SluiceError } from "../../../core/errors.ts";
import { errno } from "../../../lib/errno.ts";

/** Host user ids that belong to this server alone, one per slot: `first`, `first + 1`, … */
export interface UidBlock {
  readonly first: number;
  readonly count: number;
  release(): Promise<void>;
}

/** Blocks tried, each `count` ids after the one before: as many servers as can run beside each other. */
const BLOCKS_TRIED = 64;

/** Claims the first free block of `count` ids from `first` on. A block is taken when another server holds it, or when the machine
 *  gives ids of it to somebody: accounts of /etc/passwd, ranges of /etc/subuid.
 *
 *  The claim is a listening abstract Unix socket: one holder per machine, and the kernel frees it when the holder dies.
 *  @throws SluiceError SANDBOX_UNAVAILABLE when no block is free */
export async function claimUidBlock(first: number, count: number): Promise<UidBlock> {
  const taken = takenRanges();
  for (let block = 0; block < BLOCKS_TRIED; block += 1) {
    const start = first + block * count;
    if (taken.some((range) => range.first < start + count && start < range.first + range.count)) continue;
    const holder = await tryHold(`\0sluice-uids-${start}`);
    if (holder === null) continue;
    return {
      first: start,
      count,
      release: () => new Promise((resolve) => void holder.close(() => resolve())),
    };
  }
  throw new SluiceError(
    "SANDBOX_UNAVAILABLE",
    `Cannot give sandboxes user ids of their own: every block of ${count} from ${first} on is taken (choose another 'uid_base')`,
  );
}

async function tryHold(name: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen(name);
    await once(server, "listening");
    server.unref();
    return server;
  } catch (error) {
    if (errno(error) === "EADDRINUSE") return null;
    throw error;
  }
}

interface Range {
  readonly first: number;
  readonly count: number;
}

function takenRanges(): Range[] {
  const accounts = fieldsOf("/etc/passwd").map((fields) => ({ first: Number(fields[2]), count: 1 }));
  const ranges = fieldsOf("/etc/subuid").map((fields) => ({ first: Number(fields[1]), count: Number(fields[2]) }));
  return [...accounts, ...ranges].filter((range) => Number.isInteger(range.first) && Number.isInteger(range.count));
}

function fieldsOf(path: string): string[][] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch (error) {
    if (errno(error) === "ENOENT") return [];
    throw error;
  }
}

/** True when this process may become each of the ids: root of the machine, or of a user namespace that maps them all. */
export function mapsIds(first: number, count: number): boolean {
  return readFileSync("/proc/self/uid_map", "latin1")
    .trim()
    .split("\n")
    .some((line) => {
      const [inside = 0, , length = 0] = line.trim().split(/\s+/).map(Number);
      return inside <= first && first + count <= inside + length;
    });
}
