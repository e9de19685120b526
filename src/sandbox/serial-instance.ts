import { SluiceError } from "../core/errors.ts";
import type { ExecOptions, ExecResult, Instance, SandboxUsage } from "./sandbox.ts";

/** One run of a program, as a driver does it. */
export interface SandboxRun {
  /** Runs it to its end; see `Instance.exec`. Called once. */
  result(): Promise<ExecResult>;
  stop(graceMs: number): void;
  usage(): SandboxUsage;
}

const NOTHING_USED: SandboxUsage = { wallMs: 0, cpuMs: null, memoryPeakBytes: null };

/** An instance that runs one program after the other, and none after its end: what is the same in every driver. */
export abstract class SerialInstance<Run extends SandboxRun> implements Instance {
  #run: Run | null = null;
  #running: Promise<ExecResult> | null = null;
  #usage = NOTHING_USED;
  #destroyed: Promise<void> | null = null;

  protected abstract makeRun(options: ExecOptions): Run;

  /** Takes a run to its end, with what the driver does before and after. */
  protected finish(run: Run): Promise<ExecResult> {
    return run.result();
  }

  /** The last thing: nothing runs any more. Called once. */
  protected abstract leave(): Promise<void>;

  abstract untouched(): ReadonlySet<string>;

  protected get isRunning(): boolean {
    return this.#run !== null;
  }

  async exec(options: ExecOptions): Promise<ExecResult> {
    if (this.#destroyed !== null || this.#run !== null) {
      throw new SluiceError("INTERNAL", "Cannot run in the sandbox: it runs something already or is destroyed");
    }
    this.#run = this.makeRun(options);
    this.#running = this.#toEnd(this.#run);
    return await this.#running;
  }

  async stop(graceMs: number): Promise<void> {
    this.#run?.stop(graceMs);
  }

  async stats(): Promise<SandboxUsage> {
    return this.#run?.usage() ?? this.#usage;
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #toEnd(run: Run): Promise<ExecResult> {
    try {
      const result = await this.finish(run);
      this.#usage = result.usage;
      return result;
    } finally {
      this.#run = null;
    }
  }

  async #destroy(): Promise<void> {
    this.#run?.stop(0);
    await this.#running?.catch(() => {});
    await this.leave();
  }
}
