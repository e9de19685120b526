import { SluiceError } from "../../../core/errors.ts";
import { type InsideIds, imageUser } from "../../image-user.ts";
import type { OutboundTools } from "../../outbound/find-tools.ts";
import type { ExecOptions, ExecResult, Instance, SandboxSpec, SandboxUsage } from "../../sandbox.ts";
import { addSizes, type FolderSize, type GivenFolder, giveFolder, takeFolderBack } from "../../work-folder.ts";
import { bwrapArgs } from "./bwrap-args.ts";
import type { ImageRootSpec, ImageRoots } from "./image-root.ts";
import { launcherKind } from "./launcher-kind.ts";
import { runFileText } from "./launcher-script.ts";
import { countOfUid } from "./proc-table.ts";
import { Run } from "./run.ts";
import { OWN_PROCESSES, type Slot } from "./slot.ts";
import { reuseKey } from "./slot-root.ts";

/** What an instance needs of its driver. */
export interface InstanceDriver {
  readonly bwrapPath: string;
  readonly disablesUserns: boolean;
  readonly callFilter: string | null;
  readonly graceMs: number;
  /** Who a script is in a root that is no image. */
  readonly insideIds: InsideIds;
  readonly rootMounts: () => readonly string[];
  readonly imageRoots: ImageRoots;
  /** Programs for outbound networks; null where this machine has them not. */
  readonly outbound: OutboundTools | null;
  /** Host path of the name servers of an outbound network. */
  readonly outboundResolvConf: string;
  readonly visiblePath: (path: string) => string;
  readonly explain: (output: string) => string;
  /** Gives the slot back, or sets it aside when it could not be emptied. */
  readonly release: (slot: Slot, empty: boolean) => Promise<void>;
}

const NO_SIZE: FolderSize = { bytes: 0, files: 0 };
const NOTHING_USED: SandboxUsage = { wallMs: 0, cpuMs: null, memoryPeakBytes: null };

/** One sandbox in one slot. The work folder belongs to the slot's user from creation to the end of each run, and to the server
 *  in between and at last. */
export class BubblewrapInstance implements Instance {
  readonly #driver: InstanceDriver;
  readonly #spec: SandboxSpec;
  readonly #slot: Slot;
  #given: GivenFolder | null = null;
  #untouched: ReadonlySet<string> | null = null;
  /** True when a run may have left something alive, or a pipe in other hands: the slot starts afresh then. */
  #unclean = false;
  #endedWell = false;
  #run: Run | null = null;
  #running: Promise<ExecResult> | null = null;
  #usage = NOTHING_USED;
  #destroyed: Promise<void> | null = null;

  constructor(driver: InstanceDriver, spec: SandboxSpec, slot: Slot) {
    this.#driver = driver;
    this.#spec = spec;
    this.#slot = slot;
  }

  /** Gives the work folder to the slot's user. */
  async prepare(): Promise<void> {
    const { workFolder, outputFolder, workEntries } = this.#spec;
    // What a script has been in is looked at anew: a link may stand where a folder was.
    const entries = this.#untouched === null ? (workEntries ?? null) : null;
    this.#given = { times: new Map(), entries: null };
    this.#given = await giveFolder(workFolder, this.#slot.user, outputFolder, entries);
  }

  async exec(options: ExecOptions): Promise<ExecResult> {
    if (this.#destroyed !== null || this.#run !== null) {
      throw new SluiceError("INTERNAL", "Cannot run in the sandbox: it runs something already or is destroyed");
    }
    const run = this.#makeRun(options);
    this.#run = run;
    this.#running = this.#finish(run);
    return await this.#running;
  }

  async stop(graceMs: number): Promise<void> {
    this.#run?.stop(graceMs);
  }

  async stats(): Promise<SandboxUsage> {
    return this.#run?.usage() ?? this.#usage;
  }

  /** The script's processes by their ids on the machine, for the doctor's and the tests' eyes. */
  hostProcesses(): number[] {
    return this.#run === null ? [] : this.#slot.scriptProcesses();
  }

  untouched(): ReadonlySet<string> {
    return this.#untouched ?? new Set();
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #finish(run: Run): Promise<ExecResult> {
    try {
      if (this.#given === null) await this.prepare();
      const result = await run.result();
      this.#usage = result.usage;
      this.#endedWell = result.exitCode === 0 && result.limit === null;
      // On the machine's network a script can hand its output pipe to another sandbox.
      this.#unclean ||= this.#spec.network === "host";
      return result;
    } catch (error) {
      this.#unclean = true;
      throw error;
    } finally {
      this.#run = null;
    }
  }

  async #destroy(): Promise<void> {
    this.#run?.stop(0);
    await this.#running?.catch(() => {});
    let empty = false;
    try {
      if (this.#unclean) await this.#slot.killAll();
      // What counts for the slot is that nothing runs in it; a folder that cannot be taken back is its owner's loss.
      empty = true;
      if (this.#given !== null) await this.#takeBack();
      if (this.#spec.root.kind === "image" && !this.#slot.root.isUnchanged) await this.#leaveRoot();
    } finally {
      await this.#driver.release(this.#slot, empty);
    }
  }

  /** Changes of a job that failed may be half-made. */
  async #leaveRoot(): Promise<void> {
    const key = reuseKey(this.#spec);
    if (key === null || this.#unclean || !this.#endedWell) await this.#slot.clearRoot();
    else this.#slot.root.keptFor = key;
  }

  /** What was touched in one run stays so, whatever the next one does. */
  #note(untouched: ReadonlySet<string>): void {
    const before = this.#untouched;
    this.#untouched = before === null ? untouched : new Set([...untouched].filter((name) => before.has(name)));
  }

  async #takeBack(): Promise<FolderSize> {
    const given = this.#given ?? { times: new Map(), entries: null };
    const { size, untouched } = await takeFolderBack(this.#spec.workFolder, this.#slot.user, given);
    this.#note(untouched);
    this.#given = null;
    return addSizes(size, this.#spec.root.kind === "image" ? await this.#slot.root.size() : NO_SIZE);
  }

  /** What else counts under RLIMIT_NPROC, which holds for a whole account: everything it runs now, ended processes that nobody has
   *  taken note of included. */
  #otherProcesses(): number {
    return OWN_PROCESSES + countOfUid(this.#slot.user?.uid ?? process.geteuid?.() ?? 0);
  }

  #makeRun(exec: ExecOptions): Run {
    const { limits, network } = this.#spec;
    const counted = this.#slot.cgroup !== null;
    const image = this.#spec.root.kind === "image" ? this.#imageParts(this.#spec.root) : null;
    const ids = image?.ids ?? this.#driver.insideIds;
    const args = bwrapArgs({
      wholeRoot: image === null ? null : this.#slot.rootMount,
      root: image === null ? this.#driver.rootMounts() : [],
      mounts: this.#spec.mounts,
      workingDirectory: this.#spec.workingDirectory,
      env: exec.env,
      network,
      resolvConf: this.#resolvConf(),
      hostname: this.#spec.hostname,
      insideUid: ids.uid,
      insideGid: ids.gid,
      disablesUserns: this.#driver.disablesUserns,
      sharedMemoryBytes: counted ? null : Math.ceil(limits.memoryBytes / 2),
      visiblePath: this.#driver.visiblePath,
    });
    const runFile = runFileText({
      makeRoot: image?.makeRoot ?? "",
      bwrapPath: this.#driver.bwrapPath,
      callFilter: this.#driver.callFilter,
      argv: exec.argv,
      fileBytes: limits.diskBytes,
      processes: counted ? null : limits.pids + this.#otherProcesses(),
      separateStdout: exec.separateStdout,
    });
    return new Run({
      slot: this.#slot,
      limits,
      workFolder: this.#spec.workFolder,
      exec,
      kind: launcherKind(this.#spec, this.#slot, this.#driver),
      args,
      runFile,
      graceMs: this.#driver.graceMs,
      takeBack: () => this.#takeBack(),
      explain: this.#driver.explain,
    });
  }

  #resolvConf(): string | null {
    const { network } = this.#spec;
    if (network === "host") return "/etc/resolv.conf";
    return network === "outbound" ? this.#driver.outboundResolvConf : null;
  }

  #imageParts(root: ImageRootSpec) {
    const { workFolder, mounts, workingDirectory } = this.#spec;
    const { imageRoots, visiblePath } = this.#driver;
    const slot = this.#slot;
    return {
      ids: imageUser(root.user, root.layers),
      makeRoot: imageRoots.prepare({ root, slot, workFolder, mounts, workingDirectory, visiblePath }),
    };
  }
}
