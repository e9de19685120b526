import {
  chownSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SluiceError } from "../../../core/errors.ts";
import type { BlockedNetwork } from "../../outbound/blocked-networks.ts";
import type { OutboundTools } from "../../outbound/find-tools.ts";
import type { SandboxLimits } from "../../sandbox.ts";
import type { Cgroup } from "./cgroup.ts";
import type { IdMaps } from "./id-maps.ts";
import { type LaunchEnd, Launcher } from "./launcher.ts";
import { UNMOUNT_TEXT } from "./launcher-script.ts";
import { isAlive, namespaceOf, parentOf, processesOfUids, processTree } from "./proc-table.ts";
import { sendSignal } from "./signals.ts";
import { SlotRoot } from "./slot-root.ts";

export interface SlotUser {
  readonly uid: number;
  readonly gid: number;
}

/** Namespaces that a launcher has of its own. */
export interface LauncherKind {
  /** Ids of a user namespace, in which it can mount; null for none. */
  readonly maps: IdMaps | null;
  /** A network namespace that is connected with the outside; null for none. */
  readonly outbound: OutboundKind | null;
}

/** Another list, or another tenant (who would see what connections there were): another launcher. */
interface OutboundKind {
  readonly tools: OutboundTools;
  /** What it does not reach. */
  readonly blocked: readonly BlockedNetwork[];
  readonly tenant: string;
}

/** `mounts`: it can mount the roots of images. `outbound`: that, in a network of its own. */
export type Flavour = "plain" | "mounts" | "outbound";

const PLAIN: LauncherKind = { maps: null, outbound: null };

/** What bubblewrap wrote about the running sandbox. */
interface SandboxStatus {
  /** The sandbox's first process, by its host id; null before it exists or when it has ended. */
  readonly initPid: number | null;
  /** True once the program inside was started: then the exit code is the program's, not bubblewrap's. */
  readonly started: boolean;
}

/** Processes of the driver in a slot's group: launcher, watchdog, bubblewrap outside, bubblewrap as the sandbox's first process. */
export const OWN_PROCESSES = 4;

/** Where the launcher mounts a root, in the slot's folder. */
export const ROOT_MOUNT = "root";

/** How long processes that are just ending are given before they count as left behind. */
const ENDING_WITHIN_MS = 15;
/** Longest wait for killed processes to go. Only uninterruptible sleep in the kernel takes longer. */
const GONE_WITHIN_MS = 10_000;

/** Bubblewrap's first process ends after its parent, so the machine's process 1 takes note of its end; until then it counts against
 *  the slot's processes, and some take seconds. In steps, so that the limit is seldom rewritten. */
function unreaped(cgroup: Cgroup): number {
  const ended = Math.max(0, cgroup.charged() - IDLE_PROCESSES);
  return Math.ceil(ended / UNREAPED_STEP) * UNREAPED_STEP;
}

const UNREAPED_STEP = 16;
/** Launcher and watchdog. */
const IDLE_PROCESSES = 2;

/** A place where one sandbox at a time runs: a host user id, a control group, a folder with its pipes, a warm launcher. */
export class Slot {
  readonly index: number;
  readonly user: SlotUser | null;
  readonly cgroup: Cgroup | null;
  readonly #folder: string;
  readonly #args: number;
  readonly #status: number;
  readonly #links = new Map<string, string>();
  /** What sandboxes change in the roots of images. */
  readonly root: SlotRoot;
  #launcher: Launcher | null = null;
  /** What the launcher was made for. */
  #kind: LauncherKind = PLAIN;
  #run = "";
  #maimed = false;

  constructor(index: number, folder: string, user: SlotUser | null, cgroup: Cgroup | null) {
    this.index = index;
    this.user = user;
    this.cgroup = cgroup;
    this.#folder = folder;
    this.root = new SlotRoot(index, user);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    this.#args = this.#ownFile("args");
    this.#status = this.#ownFile("status");
    mkdirSync(this.rootMount, { mode: 0o700 });
    if (user !== null) chownSync(this.rootMount, user.uid, user.gid);
    if (user !== null) chownSync(folder, user.uid, user.gid);
  }

  /** Who runs here, by the machine's ids. */
  get ids(): SlotUser {
    return this.user ?? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  }

  /** Paths of the pipes that carry the job's output, while the slot is ready. */
  get outPath(): string {
    return `${this.#folder}/out`;
  }

  get errPath(): string {
    return `${this.#folder}/err`;
  }

  /** Where the launcher mounts a root, in its own namespace. */
  get rootMount(): string {
    return `${this.#folder}/${ROOT_MOUNT}`;
  }

  get isWarm(): boolean {
    return this.#launcher !== null;
  }

  /** What the launcher can do; another job needs another launcher. */
  get flavour(): Flavour {
    if (this.#kind.outbound !== null) return "outbound";
    return this.#kind.maps === null ? "plain" : "mounts";
  }

  /** Whether a job of this kind finds its launcher here. */
  suits(flavour: Flavour, tenant: string): boolean {
    if (!this.isWarm || this.flavour !== flavour) return false;
    return this.#kind.outbound === null || this.#kind.outbound.tenant === tenant;
  }

  /** Makes a link in the slot's folder. */
  point(name: string, target: string): void {
    if (this.#links.get(name) === target) return;
    rmSync(`${this.#folder}/${name}`, { force: true });
    symlinkSync(target, `${this.#folder}/${name}`);
    this.#links.set(name, target);
  }

  /** Starts the launcher if it is not there, or not whole (the kernel may end it or its watchdog when the slot is out of memory), or of another kind.
   *  @throws SluiceError SANDBOX_UNAVAILABLE */
  async ready(kind: LauncherKind): Promise<void> {
    if (this.#launcher?.alive && !this.#maimed && JSON.stringify(kind) === JSON.stringify(this.#kind)) return;
    if (this.#launcher !== null) await this.killAll();
    this.#kind = kind;
    this.cgroup?.revive();
    this.#maimed = false;
    this.#launcher = await Launcher.start({
      folder: this.#folder,
      user: this.user,
      join: async (pid) => this.cgroup?.join(pid),
      maps: kind.maps,
      outbound: kind.outbound,
    });
  }

  /** Gives up what the last job has changed in its root. Nothing may run. */
  async clearRoot(): Promise<void> {
    if (this.#launcher?.alive && this.root.mounted !== null) await this.start(Buffer.alloc(0), UNMOUNT_TEXT);
    await this.root.clear();
  }

  /** Rewrites the slot's limits for the next job. */
  async limit(limits: SandboxLimits): Promise<void> {
    await this.cgroup?.limit(limits, OWN_PROCESSES + unreaped(this.cgroup));
  }

  /** Starts a job; `args` are bubblewrap's options, `run` the shell's text. Resolves when the script's main process has ended. */
  start(args: Buffer, run: string): Promise<LaunchEnd> {
    const launcher = this.#launcher;
    if (launcher === null) throw new SluiceError("INTERNAL", "Cannot start a sandbox: the slot is not ready");
    this.#write(this.#args, args);
    ftruncateSync(this.#status, 0);
    if (run !== this.#run) writeFileSync(`${this.#folder}/run`, run);
    this.#run = run;
    this.cgroup?.begin();
    return launcher.run();
  }

  /** Wipes what the job was given (its environment stood in `args`). */
  wipe(): void {
    ftruncateSync(this.#args, 0);
    ftruncateSync(this.#status, 0);
  }

  status(): SandboxStatus {
    const text = readFileSync(`${this.#folder}/status`, "latin1");
    const pid = /"child-pid": (\d+)/.exec(text)?.[1];
    const namespace = /"pid-namespace": (\d+)/.exec(text)?.[1];
    const started = text.includes('"exit-code"');
    if (pid === undefined) return { initPid: null, started };
    // The id may belong to somebody else by now; the namespace's number tells.
    const alive = isAlive(Number(pid)) && namespaceOf(Number(pid), "pid") === Number(namespace);
    return { initPid: alive ? Number(pid) : null, started };
  }

  /** Every process of the running sandbox that is the script's: not the launcher's, not bubblewrap's. Empty before the script starts. */
  scriptProcesses(): number[] {
    const init = this.status().initPid;
    if (init === null) return [];
    const driver = [init, parentOf(init)];
    const all = this.cgroup === null ? processTree(init) : this.#sandboxed(this.cgroup);
    return all.filter((pid) => !driver.includes(pid));
  }

  /** Waits until nothing of the sandbox runs any more, and kills what its main process left behind. Resolves with how many that were.
   *
   *  Bubblewrap answers when the script's main process ends; its first process stays as long as it has children, which tells the
   *  processes left behind from those that are just ending. Killing it ends all others: the kernel empties the pid namespace.
   *  @throws SluiceError INTERNAL when something cannot be killed */
  async quiet(): Promise<number> {
    const begun = performance.now();
    let left = this.#left();
    for (; left.length > 0 && performance.now() - begun < ENDING_WITHIN_MS; left = this.#left()) {
      await sleep(1);
    }
    if (left.length === 0) return 0;
    const init = this.status().initPid;
    const behind = left.filter((pid) => pid !== init).length;
    if (init !== null) sendSignal([init], "SIGKILL");
    else this.#killSandbox();
    await this.#gone(() => this.#left());
    return behind;
  }

  /** Kills everything in the slot, the launcher too; resolves when it is gone. */
  async killAll(): Promise<void> {
    const all = (): number[] => this.#everything();
    this.#killOnce();
    await this.#gone(() => {
      const left = all();
      if (left.length > 0) this.#killOnce();
      return left;
    });
    await this.#launcher?.close();
    this.#launcher = null;
  }

  /** Ends the launcher and removes folder and group. The slot must not run anything. */
  async close(): Promise<void> {
    await this.killAll();
    await this.root.clear();
    closeSync(this.#args);
    closeSync(this.#status);
    rmSync(this.#folder, { recursive: true, force: true });
    this.cgroup?.remove();
  }

  /** Ends an idle launcher; the next job starts another. */
  async cool(): Promise<void> {
    const launcher = this.#launcher;
    // Who takes the slot meanwhile starts one of its own.
    this.#launcher = null;
    await launcher?.close();
  }

  #ownFile(name: string): number {
    const fd = openSync(`${this.#folder}/${name}`, "wx+", 0o600);
    if (this.user !== null) chownSync(`${this.#folder}/${name}`, this.user.uid, this.user.gid);
    return fd;
  }

  #write(fd: number, bytes: Buffer): void {
    ftruncateSync(fd, 0);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  }

  /** The sandbox's processes that are still there, its first one included. */
  #left(): number[] {
    if (this.cgroup !== null) return this.#hasOnlyOwn(this.cgroup) ? [] : this.#sandboxed(this.cgroup);
    const init = this.status().initPid;
    return init === null ? [] : processTree(init);
  }

  /** Whether launcher and watchdog are all there is: one number, where the list of processes costs the kernel ten times as much. False when in doubt. */
  #hasOnlyOwn(cgroup: Cgroup): boolean {
    const launcher = this.#launcher;
    return launcher !== null && cgroup.charged() <= IDLE_PROCESSES && isAlive(launcher.watchdogPid);
  }

  #sandboxed(cgroup: Cgroup): number[] {
    const all = cgroup.processes();
    this.#maimed ||= this.#launcher !== null && !all.includes(this.#launcher.watchdogPid);
    return all.filter((pid) => pid !== this.#launcher?.pid && pid !== this.#launcher?.watchdogPid);
  }

  #killSandbox(): void {
    if (this.cgroup !== null) sendSignal(this.#sandboxed(this.cgroup), "SIGKILL");
  }

  #everything(): number[] {
    if (this.cgroup !== null) return this.cgroup.processes();
    if (this.user !== null) return processesOfUids(this.user.uid, 1);
    const init = this.status().initPid;
    const launcher = this.#launcher?.alive ? processTree(this.#launcher.pid) : [];
    return [...new Set([...(init === null ? [] : processTree(init)), ...launcher])];
  }

  #killOnce(): void {
    if (this.cgroup !== null) {
      this.cgroup.kill();
      return;
    }
    // The launcher's process group holds bubblewrap until the sandbox has a session of its own.
    const group = this.#launcher === null ? [] : [-this.#launcher.pid];
    sendSignal([...group, ...this.#everything()], "SIGKILL");
  }

  async #gone(left: () => number[]): Promise<void> {
    const begun = performance.now();
    for (let waitMs = 1; left().length > 0; waitMs = Math.min(50, waitMs * 2)) {
      if (performance.now() - begun > GONE_WITHIN_MS) {
        throw new SluiceError(
          "INTERNAL",
          `Cannot end the sandbox of slot ${this.index}: processes ${left().join(", ")} do not die`,
        );
      }
      await sleep(waitMs);
    }
  }
}
