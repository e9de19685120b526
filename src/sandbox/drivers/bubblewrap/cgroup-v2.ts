import { accessSync, constants, mkdirSync, readFileSync, rmdirSync } from "node:fs";
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

const WANTED: readonly Controller[] = ["memory", "pids", "cpu"];

/** Control groups of version 2 below `base`, a group that this process may divide.
 *
 *  The kernel lets a group pass controllers on to groups below it only while it holds no processes itself (the mount's root
 *  excepted), so whatever stands in `base`, the server included, moves to a leaf beside Sluice's groups first.
 *  @see https://docs.kernel.org/admin-guide/cgroup-v2.html "No Internal Process Constraint", "Delegation"
 *  @throws SluiceError SANDBOX_UNAVAILABLE when the kernel refuses */
export function openV2Tree(mount: string, base: string, name: string): CgroupTree {
  const root = `${base}/${ownedName(name)}`;
  passControllers(base, `${root}.server`);
  makeGroup(root);
  passControllers(root, null);
  // All jobs together weigh as much as a busy group a core.
  tryWrite(`${root}/cpu.weight`, weightOf(1000 * availableParallelism()));
  const given = new Set(readWords(`${root}/cgroup.subtree_control`));
  const open = new Set<string>();
  return {
    version: 2,
    controllers: new Set(WANTED.filter((controller) => given.has(controller))),
    open(slot) {
      open.add(slot);
      return new V2Group(`${root}/${slot}`, given.has("cpu"), () => open.delete(slot));
    },
    reclaim: () => reclaimGroups([mount], name, open),
    close: () => rmdirSync(root),
  };
}

/** The controllers that a group has and could pass on. */
export function availableControllers(folder: string): string[] {
  return readWords(`${folder}/cgroup.controllers`);
}

/** True when this process may make groups below `folder` and move processes between them. */
export function mayDivide(folder: string): boolean {
  try {
    for (const path of [folder, `${folder}/cgroup.procs`, `${folder}/cgroup.subtree_control`]) {
      accessSync(path, constants.W_OK);
    }
    return true;
  } catch {
    return false;
  }
}

function passControllers(folder: string, leaf: string | null): void {
  const wanted = WANTED.filter((controller) => availableControllers(folder).includes(controller));
  const path = `${folder}/cgroup.subtree_control`;
  const missing = (): string[] => {
    const given = readWords(path);
    return wanted.filter((controller) => !given.includes(controller));
  };
  if (missing().length === 0) return;
  const enable = (): boolean =>
    tryWrite(
      path,
      missing()
        .map((controller) => `+${controller}`)
        .join(" "),
    );
  if (enable()) return;
  if (leaf !== null) {
    makeGroup(leaf);
    for (const pid of processesOf(folder)) tryWrite(`${leaf}/cgroup.procs`, String(pid));
    if (enable()) return;
  }
  throw new SluiceError(
    "SANDBOX_UNAVAILABLE",
    `Cannot divide the control group ${folder}: the kernel refuses ${wanted.join(", ")}`,
  );
}

class V2Group implements Cgroup {
  readonly oomEndsAll = true;
  readonly #folder: string;
  readonly #hasCpu: boolean;
  readonly #written = new Map<string, string>();
  readonly #cpu: CounterFile;
  readonly #current: CounterFile;
  readonly #peak: CounterFile | null;
  readonly #memoryEvents: CounterFile;
  readonly #pids: CounterFile;
  readonly #pidsEvents: CounterFile;
  readonly #closed: () => void;
  #base = { cpuUs: 0, memory: 0, oom: 0, forks: 0 };
  #peakRestarts = false;

  constructor(folder: string, hasCpu: boolean, closed: () => void) {
    this.#folder = folder;
    this.#hasCpu = hasCpu;
    this.#closed = closed;
    makeGroup(folder);
    this.#cpu = new CounterFile(`${folder}/cpu.stat`);
    this.#current = new CounterFile(`${folder}/memory.current`);
    // Readable since Linux 5.19; restarts per descriptor since 6.12.
    this.#peak = CounterFile.tryOpen(`${folder}/memory.peak`, "r+") ?? null;
    this.#memoryEvents = new CounterFile(`${folder}/memory.events`);
    this.#pids = new CounterFile(`${folder}/pids.current`);
    this.#pidsEvents = new CounterFile(`${folder}/pids.events`);
    this.#set("memory.swap.max", "0", true);
    this.#set("memory.oom.group", "1", true);
  }

  join(pid: number): Promise<void> {
    return writeFile(`${this.#folder}/cgroup.procs`, String(pid));
  }

  async limit(limits: SandboxLimits, extraPids: number): Promise<void> {
    await this.#limitMemory(String(limits.memoryBytes));
    this.#set("pids.max", String(limits.pids + extraPids));
    if (!this.#hasCpu) return;
    this.#set("cpu.weight", weightOf(limits.cpuMilli));
    const quotaUs = Math.max(1000, Math.round(limits.cpuMilli * 100));
    this.#set("cpu.max", limits.cpuHard ? `${quotaUs} 100000` : "max 100000");
  }

  begin(): void {
    this.#peakRestarts = this.#peak?.write("reset") ?? false;
    this.#base = {
      cpuUs: this.#cpu.field("usage_usec"),
      memory: this.#current.number(),
      oom: this.#memoryEvents.field("oom_kill"),
      forks: this.#pidsEvents.field("max"),
    };
  }

  counts(): CgroupCounts {
    return {
      cpuMs: (this.#cpu.field("usage_usec") - this.#base.cpuUs) / 1000,
      memoryPeakBytes: this.#peakRestarts ? Math.max(0, (this.#peak?.number() ?? 0) - this.#base.memory) : null,
      oomKills: this.#memoryEvents.field("oom_kill") - this.#base.oom,
      forksRefused: this.#pidsEvents.field("max") - this.#base.forks,
    };
  }

  charged(): number {
    return this.#pids.number();
  }

  processes(): number[] {
    return processesOf(this.#folder);
  }

  kill(): void {
    // `cgroup.kill` came with Linux 5.14.
    if (tryWrite(`${this.#folder}/cgroup.kill`, "1")) return;
    this.#set("pids.max", "0");
    sendSignal(this.processes(), "SIGKILL");
  }

  revive(): void {
    if (this.#written.get("pids.max") === "0") this.#set("pids.max", "max");
  }

  remove(): void {
    for (const file of [this.#cpu, this.#current, this.#peak, this.#memoryEvents, this.#pids, this.#pidsEvents])
      file?.close();
    rmdirSync(this.#folder);
    this.#closed();
  }

  async #limitMemory(text: string): Promise<void> {
    if (this.#written.get("memory.max") === text) return;
    const path = `${this.#folder}/memory.max`;
    const write = this.#current.number() > Number(text) ? tryWriteLater : tryWrite;
    if (!(await write(path, text))) throw refused(path, text);
    this.#written.set("memory.max", text);
  }

  #set(file: string, text: string, optional = false): void {
    if (this.#written.get(file) === text) return;
    const path = `${this.#folder}/${file}`;
    if (!tryWrite(path, text) && !optional) throw refused(path, text);
    this.#written.set(file, text);
  }
}

function refused(path: string, text: string): SluiceError {
  return new SluiceError("SANDBOX_UNAVAILABLE", `Cannot set the sandbox's limit: ${path} does not take '${text}'`);
}

/** `cpu.weight`: 100, the kernel's default, for a core. */
function weightOf(cpuMilli: number): string {
  return String(Math.min(10_000, Math.max(1, Math.round(cpuMilli / 10))));
}

function makeGroup(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (errno(error) !== "EEXIST") throw error;
  }
}

function readWords(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split(/\s+/).filter(Boolean);
  } catch (error) {
    if (errno(error) === "ENOENT") return [];
    throw error;
  }
}
