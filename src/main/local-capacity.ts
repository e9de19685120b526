import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import type { Resources } from "../core/resources.ts";

/** What the configuration says about this machine; null means: find out. */
export interface LocalLimits {
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
}

/** The share of the machine's memory that attempts may reserve; the rest is for the server, its peers and the page cache. */
const MEMORY_SHARE = 0.8;
/** The share of the file system that attempts may reserve together. Reservations are bounds, not uses: most jobs need little of theirs. */
const DISK_SHARE = 0.8;

/** What this machine gives to attempts: all processors, most of the memory that this process may use, most of the data directory's disk. */
export async function localCapacity(dataDir: string, limits: LocalLimits): Promise<Resources> {
  const { blocks, bsize } = await statfs(dataDir);
  return {
    cpu: limits.cpuMilli ?? availableParallelism() * 1000,
    memory: limits.memoryBytes ?? Math.floor(Math.min(totalmem(), memoryLimit()) * MEMORY_SHARE),
    disk: limits.diskBytes ?? Math.floor(blocks * bsize * DISK_SHARE),
  };
}

/** The memory limit of this process's own control group, which a container or a service sets; Infinity for none. */
function memoryLimit(): number {
  for (const file of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const limit = Number(readFileSync(file, "utf8"));
      if (Number.isFinite(limit) && limit > 0) return limit;
    } catch {
      // Not this version of control groups.
    }
  }
  return Number.POSITIVE_INFINITY;
}
