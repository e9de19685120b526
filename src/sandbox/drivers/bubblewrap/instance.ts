import { type InsideIds, imageUser } from "../../image-user.ts";
import { LentFolder } from "../../lent-folder.ts";
import type { OutboundTools } from "../../outbound/find-tools.ts";
import type { ExecOptions, ExecResult, SandboxSpec } from "../../sandbox.ts";
import { SerialInstance } from "../../serial-instance.ts";
import { addSizes, type FolderSize } from "../../work-folder.ts";
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

/** One sandbox in one slot. The work folder belongs to the slot's user from creation to the end of each run, and to the server
 *  in between and at last. */
export class BubblewrapInstance extends SerialInstance<Run> {
  readonly #driver: InstanceDriver;
  readonly #spec: SandboxSpec;
  readonly #slot: Slot;
  readonly #folder: LentFolder;
  /** True when a run may have left something alive, or a pipe in other hands: the slot starts afresh then. */
  #unclean = false;
  #endedWell = false;

  constructor(driver: InstanceDriver, spec: SandboxSpec, slot: Slot) {
    super();
    this.#driver = driver;
    this.#spec = spec;
    this.#slot = slot;
    this.#folder = new LentFolder(spec, slot.user);
  }

  /** Gives the work folder to the slot's user. */
  async prepare(): Promise<void> {
    await this.#folder.give();
  }

  /** The script's processes by their ids on the machine, for the doctor's and the tests' eyes. */
  hostProcesses(): number[] {
    return this.isRunning ? this.#slot.scriptProcesses() : [];
  }

  untouched(): ReadonlySet<string> {
    return this.#folder.untouched;
  }

  protected override async finish(run: Run): Promise<ExecResult> {
    try {
      await this.#folder.give();
      const result = await run.result();
      this.#endedWell = result.exitCode === 0 && result.limit === null;
      // On the machine's network a script can hand its output pipe to another sandbox.
      this.#unclean ||= this.#spec.network === "host";
      return result;
    } catch (error) {
      this.#unclean = true;
      throw error;
    }
  }

  protected async leave(): Promise<void> {
    let empty = false;
    try {
      if (this.#unclean) await this.#slot.killAll();
      // What counts for the slot is that nothing runs in it; a folder that cannot be taken back is its owner's loss.
      empty = true;
      if (!this.#folder.isBack) await this.#folder.takeBack();
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

  /** @returns what the script may have filled: the folder and its root */
  async #takeBack(): Promise<FolderSize> {
    const size = await this.#folder.takeBack();
    return this.#spec.root.kind === "image" ? addSizes(size, await this.#slot.root.size()) : size;
  }

  /** What else counts under RLIMIT_NPROC, which holds for a whole account: everything it runs now, ended processes that nobody has
   *  taken note of included. */
  #otherProcesses(): number {
    return OWN_PROCESSES + countOfUid(this.#slot.user?.uid ?? process.geteuid?.() ?? 0);
  }

  protected makeRun(exec: ExecOptions): Run {
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
