import type { ContainerCreateOptions } from "dockerode";
import { exitOf } from "../../exit-status.ts";
import { LimitWatch, type WatchedLimit } from "../../limit-watch.ts";
import { type Limit, RunStop } from "../../run-stop.ts";
import type { ExecOptions, ExecResult, SandboxLimits, SandboxUsage } from "../../sandbox.ts";
import type { SandboxRun } from "../../serial-instance.ts";
import { type FolderSize, measureFolder, sizeLimit } from "../../work-folder.ts";
import { OUT_OF_MEMORY } from "./container-options.ts";
import type { Engine } from "./engine.ts";
import { readFrames } from "./read-frames.ts";

export interface ContainerRunOptions {
  readonly engine: Engine;
  readonly limits: SandboxLimits;
  readonly exec: ExecOptions;
  /** A shell stands before the program, whose error stream is its own where the program's outputs are one. */
  readonly hasShell: boolean;
  readonly options: () => Promise<ContainerCreateOptions>;
  /** No container could be made of the image with this id. */
  readonly notMade: (image: string) => void;
  /** Between creation and start: files are copied in, doors closed. */
  readonly prepare: (id: string) => Promise<void>;
  /** After the end, while the container is still there: takes the work folder back, and says what it holds. */
  readonly takeBack: (id: string | null) => Promise<FolderSize>;
  /** The work folder, where it can be seen while the container runs; else null. */
  readonly watched: string | null;
  /** Between SIGTERM and SIGKILL when the wall clock runs out. */
  readonly graceMs: number;
}

/** The size of what a container has changed in its root is dear to ask for. */
const ROOT_SIZE_EVERY_LOOKS = 10;

/** One run of a program in a container of its own.
 *
 *  The first cause that stops it is the one reported. The result comes when the container has ended, all output was delivered and the work folder is back. */
export class ContainerRun implements SandboxRun {
  readonly #options: ContainerRunOptions;
  readonly #stop: RunStop;
  #id: string | null = null;
  #startedAt = 0;
  /** Null while it runs. */
  #wallMs: number | null = null;
  #looks = 0;
  #outOfMemory = false;

  constructor(options: ContainerRunOptions) {
    this.#options = options;
    this.#stop = new RunStop({
      terminate: () => this.#send("SIGTERM"),
      kill: () => this.#send("SIGKILL"),
      graceMs: options.graceMs,
    });
  }

  async result(): Promise<ExecResult> {
    try {
      const result = await this.#runToEnd();
      await this.#remove();
      return result;
    } catch (error) {
      // Where the engine does not answer, what it left goes at the next start.
      await this.#remove().catch(() => {});
      throw error;
    }
  }

  async #runToEnd(): Promise<ExecResult> {
    const { engine, prepare, watched, limits } = this.#options;
    let watch: LimitWatch | null = null;
    try {
      const id = await this.#create();
      this.#id = id;
      await prepare(id);
      const output = this.#deliver(await engine.attach(id));
      // Before its end is waited for it may fail.
      output.catch(() => {});
      this.#startedAt = performance.now();
      if (this.#stop.cause !== null) return await this.#stoppedBeforeStart();
      await engine.start(id);
      this.#stop.started(limits.wallMs);
      if (watched !== null) {
        watch = new LimitWatch(
          () => this.#exceeded(id, watched),
          (limit) => this.#stop.stop(limit, 0),
        );
      }
      await output;
      const end = await engine.ended(id);
      this.#wallMs = performance.now() - this.#startedAt;
      return await this.#conclude(id, exitOf(end.exitCode), end.outOfMemory || this.#outOfMemory);
    } finally {
      this.#stop.ended();
      watch?.stop();
    }
  }

  /** Somebody may have removed the image from the engine since it was last looked for: then it is given again. */
  async #create(): Promise<string> {
    const { engine, options, notMade } = this.#options;
    const wanted = await options();
    try {
      return await engine.create(wanted);
    } catch {
      notMade(wanted.Image ?? "");
      return await engine.create(await options());
    }
  }

  async #remove(): Promise<void> {
    if (this.#id !== null) await this.#options.engine.remove(this.#id);
  }

  stop(graceMs: number): void {
    this.#stop.stop(null, graceMs);
  }

  usage(): SandboxUsage {
    const wallMs = this.#wallMs ?? (this.#startedAt === 0 ? 0 : performance.now() - this.#startedAt);
    return { wallMs, cpuMs: null, memoryPeakBytes: null };
  }

  /** Ends when the container has. */
  async #deliver(frames: AsyncIterable<Uint8Array>): Promise<void> {
    const { onOutput, separateStdout } = this.#options.exec;
    for await (const { stream, bytes } of readFrames(frames)) {
      if (this.#stop.hasFailed) continue;
      if (this.#options.hasShell && !separateStdout && stream === "err") {
        this.#outOfMemory ||= bytes.toString().includes(OUT_OF_MEMORY);
        continue;
      }
      try {
        await onOutput(bytes, separateStdout ? stream : "out");
      } catch (error) {
        // The run is worth nothing without its output; what still comes is read, so that nothing waits for us.
        this.#stop.fail(error);
      }
    }
  }

  #send(signal: NodeJS.Signals): boolean {
    if (this.#id === null) return false;
    this.#options.engine.signal(this.#id, signal).catch((error: unknown) => this.#stop.keep(error));
    return true;
  }

  async #exceeded(id: string, folder: string): Promise<WatchedLimit | null> {
    const { limits, engine } = this.#options;
    const allowed = { bytes: limits.diskBytes, files: limits.files };
    this.#looks += 1;
    const changed = this.#looks % ROOT_SIZE_EVERY_LOOKS === 0 ? await engine.changedBytes(id) : 0;
    const { bytes, files } = await measureFolder(folder, allowed);
    return sizeLimit({ bytes: bytes + changed, files }, allowed);
  }

  async #conclude(
    id: string,
    status: Pick<ExecResult, "exitCode" | "signal">,
    outOfMemory: boolean,
  ): Promise<ExecResult> {
    const size = await this.#options.takeBack(id);
    this.#stop.throwFailure();
    const { cause } = this.#stop;
    const limit = cause === null ? this.#limit(size, status, outOfMemory) : cause.limit;
    return { ...status, limit, notes: [], usage: this.usage() };
  }

  #limit(size: FolderSize, { signal }: Pick<ExecResult, "signal">, outOfMemory: boolean): Limit | null {
    const { limits } = this.#options;
    if (outOfMemory) return "memory";
    return sizeLimit(size, { bytes: limits.diskBytes, files: limits.files }) ?? (signal === "SIGXFSZ" ? "disk" : null);
  }

  async #stoppedBeforeStart(): Promise<ExecResult> {
    await this.#options.takeBack(null);
    return this.#stop.beforeStart();
  }
}
