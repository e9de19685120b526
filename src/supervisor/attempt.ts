import { existsSync } from "node:fs";
import { basename } from "node:path";
import { isSluiceError, type SluiceError } from "../core/errors.ts";
import type { AttemptResult, Reason } from "../core/job.ts";
import type { Images } from "../images/images.ts";
import { crashPoint } from "../lib/crash-point.ts";
import type { Log } from "../lib/log.ts";
import type { ExecResult, Instance, Sandbox, SandboxMount } from "../sandbox/sandbox.ts";
import type { AttemptFolder } from "./attempt-folder.ts";
import type { AttemptFolders } from "./attempt-folders.ts";
import type { AbortReason, AttemptHost, AttemptOrder } from "./attempt-host.ts";
import { attemptLimits, type LimitDefaults } from "./attempt-limits.ts";
import { type AttemptRoot, hostRoot, imageRoot } from "./attempt-root.ts";
import { type CollectedOutputs, collectOutputs } from "./collect-outputs.ts";
import { LastLine } from "./last-line.ts";
import { abortedEnd, attemptUsage, failedEnd, type ScriptEnd, scriptEnd } from "./outcome.ts";
import { scriptEnvironment, stagedInputPath } from "./script-environment.ts";
import { tenantOf } from "./tenant.ts";

export interface AttemptOptions extends LimitDefaults {
  readonly sandbox: Sandbox;
  /** Null or absent: only `host` runs. */
  readonly images?: Images | null;
  readonly folders: AttemptFolders;
  /** RESOURCE_ID: the name of this machine. */
  readonly node: string;
  readonly log: Log;
  /** What the sandbox shows of this machine besides its allow-list: scripts may name interpreters there. */
  readonly extraPaths?: readonly string[];
  /** How long a script runs before its row says so; default 250 ms. */
  readonly noteAfterMs?: number;
  /** Time between SIGTERM and SIGKILL for a script that is ended from outside; default 3 s. */
  readonly graceMs?: number;
}

const GRACE_MS = 3000;
const NOTE_AFTER_MS = 250;
const NO_OUTPUTS: CollectedOutputs = { outputs: [], objects: 0, bytes: 0 };

/** See `Supervisor.run`. */
export async function runAttempt(order: AttemptOrder, host: AttemptHost, options: AttemptOptions): Promise<void> {
  await new AttemptRun(order, host, options).run();
}

/** ```
 *  image → folder → input → sandbox ─▶ script ∥ `started` ─▶ sandbox gone ─▶ outputs staged (exit 0 only) ─▶ finish ∥ folder given back
 *    └───────┴───────┴────────┴─────────┴── fault, abort or stale lease ──────────────┴──────────────────────▶ finish
 *  ```
 *  The script starts before `started` is durable: the wait for the disk would be added to every job, and a stale lease, which only that call
 *  finds out, still publishes nothing. An abort while the script runs wins over what the script makes of SIGTERM: its exit 0 is no success then.
 *  An abort by `stopped` after that changes nothing any more if the outputs are all staged: the work is done. */
class AttemptRun {
  readonly #order: AttemptOrder;
  readonly #host: AttemptHost;
  readonly #options: AttemptOptions;
  readonly #log: Log;
  readonly #lastLine = new LastLine();
  readonly #logging: Array<Promise<void>> = [];
  #folder: AttemptFolder | null = null;
  #untouched: ReadonlySet<string> = new Set();
  #instance: Instance | null = null;
  #root: AttemptRoot | null = null;
  #exec: ExecResult | null = null;
  #collected = NO_OUTPUTS;
  #isStale = false;

  constructor(order: AttemptOrder, host: AttemptHost, options: AttemptOptions) {
    this.#order = order;
    this.#host = host;
    this.#options = options;
    this.#log = options.log.child({ job: order.job.id, attempt: order.lease.attempt });
  }

  async run(): Promise<void> {
    const end = await this.#end();
    await Promise.all(this.#logging);
    const { objects, bytes } = this.#collected;
    const usage = attemptUsage(this.#exec, this.#order.input?.sizeBytes ?? 0, { files: objects, bytes });
    const [finished] = await Promise.allSettled([this.#finish({ ...end, usage }), this.#leaveFolder(end)]);
    if (finished.status === "rejected") throw finished.reason;
  }

  /** How it ended. Never throws. */
  async #end(): Promise<ScriptEnd> {
    try {
      return await this.#runToEnd();
    } catch (error) {
      this.#collected = NO_OUTPUTS;
      return this.#endOf(error);
    } finally {
      await this.#destroySandbox().catch((error: unknown) => this.#log.error("cannot remove a sandbox", { error }));
    }
  }

  async #runToEnd(): Promise<ScriptEnd> {
    const { spec } = this.#order.revision;
    const limits = attemptLimits(spec, this.#options);
    const root = await this.#takeRoot();
    if (this.#aborted !== null) return abortedEnd(this.#aborted, null);
    const folder = await this.#takeFolder();
    const input = await this.#placeInput(folder);
    this.#instance = await this.#options.sandbox.create({
      id: this.#id,
      root: root.root,
      workFolder: folder.path,
      outputFolder: folder.output,
      workEntries: folder.entries(input?.source ?? null),
      mounts: input === null ? folder.mounts : [...folder.mounts, input],
      workingDirectory: root.workingDirectory,
      limits,
      network: spec.network,
      hostname: "sluice",
      tenant: tenantOf(this.#order.revision),
      reuse: spec.reuse,
    });
    const aborted = this.#aborted ?? (await this.#runScript(this.#instance, root));
    await this.#destroySandbox();
    if (this.#exec === null || aborted !== null) return abortedEnd(aborted ?? "stopped", this.#exec);
    for (const note of this.#exec.notes) this.#say(note);
    const end = scriptEnd(this.#exec, limits, this.#lastLine.text(this.#secrets));
    if (end.outcome === "ok") await this.#collect(folder);
    return this.#abandoned === null ? end : abortedEnd(this.#abandoned, this.#exec);
  }

  async #takeRoot(): Promise<AttemptRoot> {
    const { spec, owner } = this.#order.revision;
    const { images = null, extraPaths } = this.#options;
    const say = (sentence: string): void => this.#say(sentence);
    this.#root =
      spec.image === "host"
        ? hostRoot(extraPaths)
        : await imageRoot(spec, { images, owner, signal: this.#host.signal, say });
    return this.#root;
  }

  async #takeFolder(): Promise<AttemptFolder> {
    const { event, revision } = this.#order;
    const content = { script: revision.spec.script, event: event.payload };
    this.#folder = await this.#options.folders.take(this.#id, revision.id, content);
    return this.#folder;
  }

  async #placeInput(folder: AttemptFolder): Promise<SandboxMount | null> {
    const target = stagedInputPath(this.#order);
    folder.setMountPoint(target === null ? null : basename(target));
    const source = target === null ? null : await this.#host.input(folder.path);
    folder.dropStale(source);
    return source === null || target === null ? null : { kind: "blob", source, target, readOnly: true };
  }

  /** Returns why the script was ended from outside; null when it ended by itself or by a limit. */
  async #runScript(instance: Instance, root: AttemptRoot): Promise<AbortReason | null> {
    const { signal } = this.#host;
    const { argv, warning } = root.command(this.#order.revision.spec.script);
    if (warning !== null) this.#say(warning);
    const running = instance.exec({
      argv,
      env: scriptEnvironment(this.#order, this.#options.node, root.env),
      separateStdout: false,
      onOutput: (chunk) => {
        this.#lastLine.add(chunk);
        return this.#host.log(chunk);
      },
    });
    const stop = (): void => void this.#stop(instance, this.#options.graceMs ?? GRACE_MS);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      crashPoint("attempt.started");
      const [exec] = await Promise.all([running, this.#noteStart(instance, running)]);
      this.#exec = exec;
      return this.#aborted;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A row says that a script runs only when it runs for a while: most end sooner, their `finish` tells when they began, and that is one transaction
   *  of four. */
  async #noteStart(instance: Instance, running: Promise<unknown>): Promise<void> {
    const noteAfterMs = this.#options.noteAfterMs ?? NOTE_AFTER_MS;
    if (noteAfterMs > 0 && (await endsWithin(noteAfterMs, running))) return;
    try {
      await this.#host.started();
    } catch (error) {
      if (isSluiceError(error, "LEASE_STALE")) {
        this.#isStale = true;
        await this.#stop(instance, 0);
      } else {
        this.#log.warn("cannot note that the script runs", { error });
      }
    }
  }

  async #stop(instance: Instance, graceMs: number): Promise<void> {
    try {
      await instance.stop(graceMs);
    } catch (error) {
      this.#log.error("cannot stop a script", { error });
    }
  }

  async #collect(folder: AttemptFolder): Promise<void> {
    this.#collected = await collectOutputs(this.#order, this.#host, folder.output, (sentence) => this.#say(sentence));
  }

  #endOf(error: unknown): ScriptEnd {
    if (this.#aborted !== null) return abortedEnd(this.#aborted, this.#exec);
    if (isSluiceError(error, "LEASE_STALE")) return abortedEnd("lost", this.#exec);
    if (this.#folder !== null && !existsSync(this.#folder.path)) {
      this.#log.error("the folder of an attempt is gone", { error });
      return failedEnd("infrastructure", "its folder was removed from the data directory while it ran", this.#exec);
    }
    if (isSluiceError(error)) return failedEnd(reasonOf(error), error.message, this.#exec);
    if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) {
      return failedEnd("infrastructure", "the file system of the data directory is full: free space on it", this.#exec);
    }
    this.#log.error("an attempt ended by a defect", { error });
    return failedEnd("infrastructure", "Sluice failed to run it: the server's log says more", this.#exec);
  }

  async #finish(result: AttemptResult): Promise<void> {
    try {
      await this.#host.finish(result, result.outcome === "ok" ? this.#collected.outputs : []);
    } catch (error) {
      if (!isSluiceError(error, "LEASE_STALE")) throw error;
      this.#log.info("a superseded attempt was dropped");
    }
  }

  async #destroySandbox(): Promise<void> {
    const instance = this.#instance;
    this.#instance = null;
    await instance?.destroy();
    this.#root?.release();
    this.#root = null;
    if (instance) this.#untouched = instance.untouched();
  }

  /** With this machine's network a script can hand its folders to a stranger, who may still hold them. */
  async #leaveFolder({ outcome }: ScriptEnd): Promise<void> {
    const { revision } = this.#order;
    const mayBeUsedAgain = outcome === "ok" && revision.spec.network !== "host";
    if (this.#folder === null) return;
    await this.#options.folders.giveBack(this.#folder, mayBeUsedAgain ? revision.id : null, this.#untouched);
  }

  /** A line of our own in the script's log. */
  #say(sentence: string): void {
    const busy = this.#host.log(Buffer.from(`${this.#lastLine.isOpen ? "\n" : ""}sluice: ${sentence}\n`));
    this.#lastLine.add(Buffer.from("\n"));
    if (busy) this.#logging.push(busy);
  }

  get #id(): string {
    return `${this.#order.job.id}.${this.#order.lease.attempt}`;
  }

  get #aborted(): AbortReason | null {
    const { aborted, reason } = this.#host.signal;
    if (!aborted) return this.#isStale ? "lost" : null;
    return reason === "cancelled" || reason === "lost" ? reason : "stopped";
  }

  /** Why finished work is thrown away. */
  get #abandoned(): AbortReason | null {
    return this.#aborted === "stopped" ? null : this.#aborted;
  }

  get #secrets(): string[] {
    return [...Object.values(this.#order.revision.spec.secrets), this.#order.token];
  }
}

function reasonOf({ code, details, retryable }: SluiceError): Reason {
  if (code === "OUTPUT_INVALID") return details?.reason === "output_name" ? "output_name" : "output_invalid";
  return (code.startsWith("IMAGE_") || code === "EGRESS_REFUSED") && !retryable ? "image" : "infrastructure";
}

/** True when the promise settles, either way, before the time is over. */
async function endsWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: over, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  promise.then(
    () => resolve(true),
    () => resolve(true),
  );
  const ended = await over;
  clearTimeout(timer);
  return ended;
}
