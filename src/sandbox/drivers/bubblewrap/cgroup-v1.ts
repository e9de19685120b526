import { mkdirSync, rmdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { SluiceError } from "../../../core/errors.ts";
import { errno } from "../../../lib/errno.ts";
import type { SandboxLimits } from "../../sandbox.ts";
import type { Cgroup, CgroupCounts, CgroupTree, Controller } from "./cgroup.ts";
import { CounterFile, processesOf, tryWrite, tryWriteLater } from "./cgroup-file.ts";
import { reclaimGroups } from "./cgroup-reclaim.ts";
import { ownedName } from "./owned-name.ts";
import { sendSignal } from "./signals.ts";

/** Where each v1 controller is mounted, and the group below the mount in which Sluice's own may be made. */
export interface ControllerMount {
  readonly mount: string;
  readonly parent: string;
}

export type V1Mounts = Partial<Record<Controller | "cpuacct", ControllerMount>>;

/** Control groups of version 1: one folder per controller, which may share mounts.
 *  @see https://docs.kernel.org/admin-guide/cgroup-v1/ */
export function openV1Tree(mounts: V1Mounts, name: string): CgroupTree {
  const roots = new Map<string, string>();
  for (const [controller, place] of Object.entries(mounts)) {
    const root = `${place.parent}/${ownedName(name)}`;
    makeGroup(root);
    // All jobs together weigh as much as a busy process a core: they stand beside the machine's single processes.
    if (controller === "cpu") tryWrite(`${root}/cpu.shares`, String(SHARES_PER_CORE * availableParallelism()));
    roots.set(controller, root);
  }
  const open = new Set<string>();
  return {
    version: 1,
    controllers: new Set((["memory", "pids", "cpu"] as const).filter((controller) => roots.has(controller))),
    open(slot) {
      open.add(slot);
      return new V1Group(new Map([...roots].map(([controller, root]) => [controller, `${root}/${slot}`])), () =>
        open.delete(slot),
      );
    },
    reclaim: () =>
      reclaimGroups(
        Object.values(mounts).map(({ mount }) => mount),
        name,
        open,
      ),
    close() {
      for (const root of new Set(roots.values())) rmdirSync(root);
    },
  };
}

/** `cpu.shares` of one core, the kernel's default for a group. */
const SHARES_PER_CORE = 1024;
/** Period of the hard CPU quota, the kernel's default. */
const CPU_PERIOD_US = 100_000;

class V1Group implements Cgroup {
  readonly oomEndsAll = false;
  readonly #folders: ReadonlyMap<string, string>;
  readonly #written = new Map<string, string>();
  readonly #cpu: CounterFile | null;
  readonly #usage: CounterFile;
  readonly #peak: CounterFile;
  readonly #oom: CounterFile;
  readonly #pids: CounterFile;
  readonly #pidsEvents: CounterFile | null;
  readonly #closed: () => void;
  #base = { cpuNs: 0, memory: 0, oom: 0, forks: 0 };

  constructor(folders: ReadonlyMap<string, string>, closed: () => void) {
    this.#folders = folders;
    this.#closed = closed;
    for (const folder of new Set(folders.values())) makeGroup(folder);
    const memory = this.#folder("memory");
    const cpu = folders.get("cpuacct");
    this.#cpu = cpu === undefined ? null : CounterFile.tryOpen(`${cpu}/cpuacct.usage`);
    this.#usage = new CounterFile(`${memory}/memory.usage_in_bytes`);
    this.#peak = new CounterFile(`${memory}/memory.max_usage_in_bytes`, "r+");
    this.#oom = new CounterFile(`${memory}/memory.oom_control`);
    this.#pids = new CounterFile(`${this.#folder("pids")}/pids.current`);
    this.#pidsEvents = CounterFile.tryOpen(`${this.#folder("pids")}/pids.events`);
  }

  async join(pid: number): Promise<void> {
    for (const folder of new Set(this.#folders.values())) await writeFile(`${folder}/cgroup.procs`, String(pid));
  }

  async limit(limits: SandboxLimits, extraPids: number): Promise<void> {
    await this.#limitMemory(limits.memoryBytes);
    this.#set("pids", "pids.max", String(limits.pids + extraPids));
    if (!this.#folders.has("cpu")) return;
    this.#set("cpu", "cpu.shares", String(Math.max(2, Math.round((limits.cpuMilli * SHARES_PER_CORE) / 1000))));
    const quotaUs = limits.cpuHard ? Math.max(1000, (limits.cpuMilli * CPU_PERIOD_US) / 1000) : -1;
    this.#set("cpu", "cpu.cfs_quota_us", String(Math.round(quotaUs)));
  }

  begin(): void {
    this.#peak.write("0");
    this.#base = {
      cpuNs: this.#cpu?.number() ?? 0,
      memory: this.#usage.number(),
      oom: this.#oom.field("oom_kill"),
      forks: this.#pidsEvents?.field("max") ?? 0,
    };
  }

  counts(): CgroupCounts {
    return {
      cpuMs: this.#cpu === null ? null : (this.#cpu.number() - this.#base.cpuNs) / 1e6,
      memoryPeakBytes: Math.max(0, this.#peak.number() - this.#base.memory),
      oomKills: this.#oom.field("oom_kill") - this.#base.oom,
      forksRefused: (this.#pidsEvents?.field("max") ?? 0) - this.#base.forks,
    };
  }

  charged(): number {
    return this.#pids.number();
  }

  processes(): number[] {
    return processesOf(this.#folder("pids"));
  }

  kill(): void {
    // Without this a fork bomb could outrun the loop: v1 has no kill of a whole group.
    this.#set("pids", "pids.max", "0");
    sendSignal(this.processes(), "SIGKILL");
  }

  revive(): void {
    this.#written.delete("pids.max");
    tryWrite(`${this.#folder("pids")}/pids.max`, "max");
  }

  remove(): void {
    for (const file of [this.#cpu, this.#usage, this.#peak, this.#oom, this.#pids, this.#pidsEvents]) file?.close();
    for (const folder of new Set(this.#folders.values())) rmdirSync(folder);
    this.#closed();
  }

  /** `memory.memsw` (memory and swap together) may never be below `memory`: the order of the two writes depends on the direction.
   *  Kernels without swap accounting have no `memsw`. */
  async #limitMemory(bytes: number): Promise<void> {
    const before = this.#written.get("memory.limit_in_bytes");
    if (before === String(bytes)) return;
    const raises = before !== undefined && Number(before) < bytes;
    const files = ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"];
    const write = this.#usage.number() > bytes ? tryWriteLater : tryWrite;
    for (const file of raises ? files : files.reverse()) {
      const path = `${this.#folder("memory")}/${file}`;
      const taken = await write(path, String(bytes));
      if (!taken && !file.includes("memsw")) throw refused(path, String(bytes));
      this.#written.set(file, String(bytes));
    }
  }

  #set(controller: string, file: string, text: string): void {
    if (this.#written.get(file) === text) return;
    const path = `${this.#folder(controller)}/${file}`;
    if (!tryWrite(path, text)) throw refused(path, text);
    this.#written.set(file, text);
  }

  #folder(controller: string): string {
    const folder = this.#folders.get(controller);
    if (folder === undefined)
      throw new SluiceError("INTERNAL", `Cannot use the ${controller} controller: it is absent`);
    return folder;
  }
}

function refused(path: string, text: string): SluiceError {
  return new SluiceError("SANDBOX_UNAVAILABLE", `Cannot set the sandbox's limit: ${path} does not take '${text}'`);
}

function makeGroup(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
  }
}
