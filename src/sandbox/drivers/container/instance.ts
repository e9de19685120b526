import { readFileSync } from "node:fs";
import { SluiceError } from "../../../core/errors.ts";
import { namesOf, shownAt } from "../../../lib/overlay-lookup.ts";
import { isOverlayProgram } from "../../../lib/overlay-program.ts";
import { imageUser } from "../../image-user.ts";
import { blockedNetworks } from "../../outbound/blocked-networks.ts";
import { closeDoors } from "../../outbound/close-doors.ts";
import type { NamespaceTools } from "../../outbound/find-tools.ts";
import type { ExecOptions, ExecResult, Instance, SandboxRoot, SandboxSpec, SandboxUsage } from "../../sandbox.ts";
import {
  addSizes,
  type FolderSize,
  type FolderUser,
  type GivenFolder,
  giveFolder,
  takeFolderBack,
} from "../../work-folder.ts";
import { containerOptions } from "./container-options.ts";
import { ContainerRun } from "./container-run.ts";
import { packMounts, unpackFolder } from "./copied-folders.ts";
import type { Engine, EngineFacts } from "./engine.ts";
import type { ImportedRoots } from "./imported-roots.ts";
import { ownLimits } from "./own-limits.ts";

export type ImageRootSpec = Extract<SandboxRoot, { kind: "image" }>;

/** How the engine gives a network. */
export interface EngineNetwork {
  /** As the engine names it. */
  readonly name: string;
  /** Programs that close it off from this machine before anything runs in it; null where nothing must be closed. */
  readonly doors: NamespaceTools | null;
}

/** What an instance needs of its driver. */
export interface ContainerDriver {
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly roots: ImportedRoots;
  readonly serverName: string;
  /** The engine sees this machine's folders. */
  readonly binds: boolean;
  /** Groups that own what is mounted. */
  readonly groups: readonly number[];
  readonly graceMs: number;
  readonly release: () => void;
}

/** Who the server is, as far as engines care. */
const [OWN_UID, OWN_GID] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
const NOTHING_USED: SandboxUsage = { wallMs: 0, cpuMs: null, memoryPeakBytes: null };

/** A place for containers that run one after the other on one work folder. */
export class ContainerInstance implements Instance {
  readonly #driver: ContainerDriver;
  readonly #spec: SandboxSpec & { readonly root: ImageRootSpec };
  readonly #network: EngineNetwork;
  readonly #user: FolderUser;
  /** Who the folder is given to; null where who runs inside is who the server is. */
  readonly #givenTo: FolderUser | null;
  readonly #hasShell: boolean;
  #given: GivenFolder | null = null;
  #untouched: ReadonlySet<string> | null = null;
  #run: ContainerRun | null = null;
  #running: Promise<ExecResult> | null = null;
  #usage = NOTHING_USED;
  #destroyed: Promise<void> | null = null;

  /** @throws SluiceError IMAGE_UNSUPPORTED for a USER that the image does not know */
  constructor(driver: ContainerDriver, spec: SandboxSpec & { readonly root: ImageRootSpec }, network: EngineNetwork) {
    [this.#driver, this.#spec, this.#network] = [driver, spec, network];
    const isOwnUser = driver.facts.isRootless || OWN_UID !== 0;
    this.#user = isOwnUser ? ownUser(driver.facts) : imageUser(spec.root.user, spec.root.layers);
    this.#hasShell = isOverlayProgram("/bin/sh", spec.root.layers);
    this.#givenTo = isOwnUser || !driver.binds ? null : this.#user;
  }

  /** Gives the work folder to who runs inside. */
  async prepare(): Promise<void> {
    const { workFolder, outputFolder, workEntries } = this.#spec;
    const entries = this.#untouched === null ? (workEntries ?? null) : null;
    this.#given = { times: new Map(), entries: null };
    this.#given = await giveFolder(workFolder, this.#givenTo, outputFolder, entries);
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

  untouched(): ReadonlySet<string> {
    // What was copied is another file.
    return this.#driver.binds ? (this.#untouched ?? new Set()) : new Set();
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #finish(run: ContainerRun): Promise<ExecResult> {
    try {
      if (this.#given === null) await this.prepare();
      const result = await run.result();
      this.#usage = result.usage;
      return result;
    } finally {
      this.#run = null;
    }
  }

  async #destroy(): Promise<void> {
    this.#run?.stop(0);
    await this.#running?.catch(() => {});
    try {
      if (this.#given !== null) await this.#takeFolder();
    } finally {
      this.#driver.release();
    }
  }

  async #takeFolder(): Promise<FolderSize> {
    const given = this.#given ?? { times: new Map(), entries: null };
    const { size, untouched } = await takeFolderBack(this.#spec.workFolder, this.#givenTo, given);
    const before = this.#untouched;
    this.#untouched = before === null ? untouched : new Set([...untouched].filter((name) => before.has(name)));
    this.#given = null;
    return size;
  }

  #makeRun(exec: ExecOptions): ContainerRun {
    const { engine, binds, graceMs } = this.#driver;
    const { workFolder, limits } = this.#spec;
    return new ContainerRun({
      engine,
      limits,
      exec,
      hasShell: this.#hasShell,
      options: async () => await this.#containerOptions(exec),
      notMade: (image) => this.#driver.roots.forget(image),
      prepare: async (id) => {
        if (!binds) await engine.put(id, packMounts(this.#spec.mounts, this.#user));
        if (this.#network.doors !== null) await this.#closeDoors(id, this.#network.doors);
      },
      takeBack: async (id) => {
        if (binds) {
          const changed = { bytes: id === null ? 0 : await engine.changedBytes(id), files: 0 };
          return addSizes(await this.#takeFolder(), changed);
        }
        const copied = id === null ? { bytes: 0, files: 0 } : await this.#copyBack(id);
        await this.#takeFolder();
        return copied;
      },
      watched: binds ? workFolder : null,
      graceMs,
    });
  }

  async #containerOptions(exec: ExecOptions) {
    const { facts, roots, serverName, binds, groups } = this.#driver;
    const { root, workingDirectory } = this.#spec;
    const isMissing = shownAt(root.layers, namesOf(workingDirectory)) === null;
    const image = await roots.idOf({
      layers: root.layers,
      ...this.#user,
      folders: isMissing ? [workingDirectory] : [],
    });
    return containerOptions({
      spec: this.#spec,
      exec,
      facts,
      image,
      user: this.#user,
      groups: facts.isRootless ? [] : groups,
      hasShell: this.#hasShell,
      network: this.#network.name,
      binds,
      ulimits: ownLimits(),
      serverName,
    });
  }

  /** What a script has left. @returns its size, which is over a limit where not all of it was taken */
  async #copyBack(id: string): Promise<FolderSize> {
    const { limits, mounts } = this.#spec;
    const writable = mounts.filter(({ readOnly, kind }) => !readOnly && kind === "folder");
    let all: FolderSize = { bytes: 0, files: 0 };
    for (const { source, target } of writable) {
      const left = { bytes: limits.diskBytes - all.bytes, files: limits.files - all.files };
      const mounted = mounts.filter((mount) => mount.target.startsWith(`${target}/`));
      const leave = new Set(mounted.map((mount) => mount.target.slice(target.length + 1)));
      all = addSizes(all, await unpackFolder(await this.#driver.engine.get(id, target), source, left, leave));
    }
    return all;
  }

  async #closeDoors(id: string, tools: NamespaceTools): Promise<void> {
    const { engine, facts } = this.#driver;
    const pid = await engine.prepare(id);
    const why = isInContainer(pid, id)
      ? await closeDoors({
          tools,
          pid,
          user: null,
          blocked: blockedNetworks(),
          first: [],
          ownsUserNamespace: facts.isRootless,
        })
      : "its processes cannot be seen from here";
    if (why === null) return;
    throw new SluiceError("SANDBOX_UNAVAILABLE", `Cannot close off the network of a container: ${why}`);
  }
}

/** Root inside is the engine's user, who is the server's; with an engine of root's it is the server's user by number. */
function ownUser({ isRootless }: EngineFacts): FolderUser {
  return isRootless ? { uid: 0, gid: 0 } : { uid: OWN_UID, gid: OWN_GID };
}

/** An engine elsewhere names processes that are others here. */
function isInContainer(pid: number, id: string): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(id);
  } catch {
    return false;
  }
}
