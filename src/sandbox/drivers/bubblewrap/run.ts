import { SluiceError } from "../../../core/errors.ts";
import { exitOf } from "../../exit-status.ts";
import { LimitWatch } from "../../limit-watch.ts";
import { type Limit, RunStop } from "../../run-stop.ts";
import type { ExecOptions, ExecResult, SandboxLimits, SandboxUsage } from "../../sandbox.ts";
import type { SandboxRun } from "../../serial-instance.ts";
import { type FolderSize, sizeLimit } from "../../work-folder.ts";
import type { CgroupCounts } from "./cgroup.ts";
import { JobOutput } from "./job-output.ts";
import type { LaunchEnd } from "./launcher.ts";
import { sendSignal } from "./signals.ts";
import type { LauncherKind, Slot } from "./slot.ts";
import { exceededLimit } from "./slot-limits.ts";

export interface RunOptions {
  readonly slot: Slot;
  readonly limits: SandboxLimits;
  readonly workFolder: string;
  readonly exec: ExecOptions;
  /** Namespaces that the launcher needs. */
  readonly kind: LauncherKind;
  /** Bubblewrap's options and the shell's text. */
  readonly args: Buffer;
  readonly runFile: string;
  /** Between SIGTERM and SIGKILL when the wall clock runs out. */
  readonly graceMs: number;
  /** Makes the server the owner of the work folder again, and says what it holds. */
  readonly takeBack: () => Promise<FolderSize>;
  /** A sentence on why bubblewrap could not start, from what it said. */
  readonly explain: (output: string) => string;
}

/** What was counted when every process was gone. */
interface Counted {
  readonly usage: SandboxUsage;
  /** Absent without control groups. */
  readonly counts: CgroupCounts | undefined;
}

/** What is kept of the output to explain a sandbox that did not start. */
const KEPT_OUTPUT_BYTES = 2048;

/** One run of a program in a slot.
 *
 *  ```
 *  STARTING ──launched──▶ RUNNING ──main process ended──▶ EMPTYING ──nothing left──▶ ENDED
 *      │                    │  └─ limit, wall clock, stop ─▶ STOPPING (SIGTERM, grace, SIGKILL of the slot) ─▶ EMPTYING
 *      └─ stop ─────────────┴────────────────────────────────────────────────────────────────────────────▶
 *  ```
 *  The first cause that stops it is the one reported. The result comes after ENDED: every process gone, all output delivered,
 *  the work folder back. */
export class Run implements SandboxRun {
  readonly #options: RunOptions;
  readonly #stop: RunStop;
  #launched = false;
  #killing: Promise<void> | null = null;
  #firstOutput: Buffer | null = null;
  #startedAt = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#stop = new RunStop({
      terminate: () => this.#terminate(),
      kill: () => this.#killSlot(),
      graceMs: options.graceMs,
    });
  }

  async result(): Promise<ExecResult> {
    const { slot } = this.#options;
    await slot.ready(this.#options.kind);
    await slot.limit(this.#options.limits);
    this.#startedAt = performance.now();
    if (this.#stop.cause !== null) return await this.#stoppedBeforeStart();
    const outputs = this.#openOutputs();
    const { workFolder, limits } = this.#options;
    const watch = new LimitWatch(
      () => exceededLimit(slot, workFolder, limits),
      (limit) => this.#stop.stop(limit, 0),
    );
    try {
      const end = this.#asKilled(await this.#launch());
      const behind = await this.#empty(end);
      const counts = slot.cgroup?.counts();
      const usage = this.#usageOf(counts);
      for (const output of outputs) await output.finish();
      return await this.#conclude(end, behind, { usage, counts });
    } finally {
      this.#stop.ended();
      watch.stop();
      for (const output of outputs) output.close();
      slot.wipe();
    }
  }

  /** SIGTERM to every process of the script, SIGKILL to all of the slot after `graceMs`. */
  stop(graceMs: number): void {
    this.#stop.stop(null, graceMs);
  }

  usage(): SandboxUsage {
    return this.#usageOf(this.#launched ? this.#options.slot.cgroup?.counts() : undefined);
  }

  #usageOf(counts: CgroupCounts | undefined): SandboxUsage {
    return {
      wallMs: this.#startedAt === 0 ? 0 : performance.now() - this.#startedAt,
      cpuMs: counts?.cpuMs ?? null,
      memoryPeakBytes: counts?.memoryPeakBytes ?? null,
    };
  }

  #launch(): Promise<LaunchEnd> {
    const { slot, args, runFile, limits } = this.#options;
    const end = slot.start(args, runFile);
    this.#launched = true;
    this.#stop.started(limits.wallMs);
    return end;
  }

  /** Some control groups refuse forks before they kill, and a shell may have ended by that: it was killed all the same. */
  #asKilled(end: LaunchEnd): LaunchEnd {
    return this.#killing === null ? end : { kind: "lost" };
  }

  #openOutputs(): JobOutput[] {
    const { slot, exec } = this.#options;
    const open = (path: string, stream: "out" | "err"): JobOutput =>
      new JobOutput(
        path,
        (chunk) => this.#deliver(chunk, stream),
        // The run is worth nothing without its output.
        (error) => this.#stop.fail(error),
      );
    const out = open(slot.outPath, "out");
    return exec.separateStdout ? [out, open(slot.errPath, "err")] : [out];
  }

  #deliver(chunk: Buffer, stream: "out" | "err"): void | Promise<void> {
    this.#firstOutput ??= chunk;
    return this.#options.exec.onOutput(chunk, stream);
  }

  /** False when there is no script that could take a signal. */
  #terminate(): boolean {
    try {
      const pids = this.#options.slot.scriptProcesses();
      sendSignal(pids, "SIGTERM");
      return pids.length > 0;
    } catch (error) {
      this.#stop.keep(error);
      return false;
    }
  }

  #killSlot(): void {
    if (this.#killing !== null) return;
    this.#killing = this.#options.slot.killAll();
    this.#killing.catch(() => {});
  }

  /** Resolves when no process of the sandbox is left, with how many the script left behind. */
  async #empty(end: LaunchEnd): Promise<number> {
    if (end.kind === "lost") this.#killSlot();
    if (this.#killing !== null) {
      await this.#killing;
      return 0;
    }
    const behind = await this.#options.slot.quiet();
    // A stop may have come meanwhile.
    await this.#killing;
    return behind;
  }

  async #conclude(end: LaunchEnd, behind: number, { usage, counts }: Counted): Promise<ExecResult> {
    this.#stop.throwFailure();
    const status = endStatus(end);
    const limit = await this.#limit(end, counts);
    const notes = behind === 0 ? [] : [behindNote(behind)];
    if (limit === null && this.#stop.cause === null && status.exitCode !== 0) this.#checkStarted(end);
    return { ...status, limit, notes, usage };
  }

  /** The limit that ended the run: the one that made the driver stop it, else what the kernel counted, else what the folder holds. */
  async #limit(end: LaunchEnd, counts: CgroupCounts | undefined): Promise<Limit | null> {
    const { limits, takeBack } = this.#options;
    const size = await takeBack();
    if (this.#stop.cause !== null) return this.#stop.cause.limit;
    if (counts !== undefined && counts.oomKills > 0) return "memory";
    const code = end.kind === "exited" ? end.code : null;
    const over = sizeLimit(size, { bytes: limits.diskBytes, files: limits.files });
    if (over !== null) return over;
    if (code !== null && exitOf(code).signal === "SIGXFSZ") return "disk";
    return code !== 0 && counts !== undefined && counts.forksRefused > 0 ? "pids" : null;
  }

  /** @throws SluiceError SANDBOX_UNAVAILABLE when the program inside never started */
  #checkStarted(end: LaunchEnd): void {
    if (end.kind === "exited" && this.#options.slot.status().started) return;
    const why = end.kind === "lost" ? "its launcher was killed from outside" : this.#explained();
    throw new SluiceError("SANDBOX_UNAVAILABLE", `Cannot start a sandbox: ${why}`);
  }

  /** All that came out when the sandbox did not start is bubblewrap's own message. */
  #explained(): string {
    return this.#options.explain(this.#firstOutput?.toString("utf8", 0, KEPT_OUTPUT_BYTES) ?? "");
  }

  async #stoppedBeforeStart(): Promise<ExecResult> {
    await this.#options.takeBack();
    this.#stop.ended();
    return this.#stop.beforeStart();
  }
}

function endStatus(end: LaunchEnd): { exitCode: number | null; signal: string | null } {
  return end.kind === "lost" ? { exitCode: null, signal: "SIGKILL" } : exitOf(end.code);
}

function behindNote(count: number): string {
  return count === 1 ? "1 background process was killed" : `${count} background processes were killed`;
}
