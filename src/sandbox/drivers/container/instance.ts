import { readFileSync } from "node:fs";
import { SluiceError } from "../../../core/errors.ts";
import { namesOf, shownAt } from "../../../lib/overlay-lookup.ts";
import { isOverlayProgram } from "../../../lib/overlay-program.ts";
import { imageUser } from "../../image-user.ts";
import { LentFolder } from "../../lent-folder.ts";
import { blockedNetworks } from "../../outbound/blocked-networks.ts";
import { closeDoors } from "../../outbound/close-doors.ts";
import type { NamespaceTools } from "../../outbound/find-tools.ts";
import type { ExecOptions, ExecResult, SandboxRoot, SandboxSpec } from "../../sandbox.ts";
import { SerialInstance } from "../../serial-instance.ts";
import { addSizes, type FolderSize, type FolderUser } from "../../work-folder.ts";
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

/** A place for containers that run one after the other on one work folder. */
export class ContainerInstance extends SerialInstance<ContainerRun> {
  readonly #driver: ContainerDriver;
  readonly #spec: SandboxSpec & { readonly root: ImageRootSpec };
  readonly #network: EngineNetwork;
  readonly #user: FolderUser;
  readonly #folder: LentFolder;
  readonly #hasShell: boolean;

  /** @throws SluiceError IMAGE_UNSUPPORTED for a USER that the image does not know */
  constructor(driver: ContainerDriver, spec: SandboxSpec & { readonly root: ImageRootSpec }, network: EngineNetwork) {
    super();
    [this.#driver, this.#spec, this.#network] = [driver, spec, network];
    const isOwnUser = driver.facts.isRootless || OWN_UID !== 0;
    this.#user = isOwnUser ? ownUser(driver.facts) : imageUser(spec.root.user, spec.root.layers);
    this.#hasShell = isOverlayProgram("/bin/sh", spec.root.layers);
    this.#folder = new LentFolder(spec, isOwnUser || !driver.binds ? null : this.#user);
  }

  /** Gives the work folder to who runs inside. */
  async prepare(): Promise<void> {
    await this.#folder.give();
  }

  untouched(): ReadonlySet<string> {
    // What was copied is another file.
    return this.#driver.binds ? this.#folder.untouched : new Set();
  }

  protected override async finish(run: ContainerRun): Promise<ExecResult> {
    await this.#folder.give();
    return await run.result();
  }

  protected async leave(): Promise<void> {
    try {
      if (!this.#folder.isBack) await this.#folder.takeBack();
    } finally {
      this.#driver.release();
    }
  }

  protected makeRun(exec: ExecOptions): ContainerRun {
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
          return addSizes(await this.#folder.takeBack(), changed);
        }
        const copied = id === null ? { bytes: 0, files: 0 } : await this.#copyBack(id);
        await this.#folder.takeBack();
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
