import type { SandboxLimits } from "../../sandbox.ts";

/** What a cgroup counted since `begin`. */
export interface CgroupCounts {
  readonly cpuMs: number | null;
  /** Highest use since `begin` over the use at `begin`: what earlier jobs left in the file cache does not count. */
  readonly memoryPeakBytes: number | null;
  /** Processes killed because the group was out of memory. */
  readonly oomKills: number;
  /** Forks refused because the group was at its most processes. */
  readonly forksRefused: number;
}

/** One slot's control group, whatever version stands behind it. It is kept between jobs: limits are rewritten and counts restart. */
export interface Cgroup {
  /** True when going out of memory ends every process of the group at once; else it ends one, and the driver must end the rest. */
  readonly oomEndsAll: boolean;
  join(pid: number): Promise<void>;
  /** Sets limits; writes only what differs from the last call. `extraPids` are the driver's own processes in the group. Waits off the
   *  main thread where the group holds more memory than it may have now: the kernel then frees the file cache of earlier jobs first. */
  limit(limits: SandboxLimits, extraPids: number): Promise<void>;
  begin(): void;
  counts(): CgroupCounts;
  /** Processes that count against the limit: the living ones, and ended ones that their parent has not taken note of. */
  charged(): number;
  /** Ids of the living processes. */
  processes(): number[];
  /** Sends SIGKILL to every process of the group, once, and stops further forks where the kernel can. */
  kill(): void;
  /** Allows forks again after `kill`. */
  revive(): void;
  /** Removes the group; it must be empty. */
  remove(): void;
}

export type Controller = "memory" | "pids" | "cpu";

/** The folder (v2) or folders (v1) that hold Sluice's groups. */
export interface CgroupTree {
  readonly version: 1 | 2;
  readonly controllers: ReadonlySet<Controller>;
  open(name: string): Cgroup;
  /** Kills and removes every group of this server's name that is not open, one sentence each, and the empty ones of servers that are gone. */
  reclaim(): Promise<string[]>;
  /** Removes the tree; every group must be removed before. */
  close(): void;
}

/** Why this machine gives no usable cgroups, and what mends it. */
export interface NoCgroups {
  readonly why: string;
  readonly mend: string;
}
