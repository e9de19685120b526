import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { SluiceError } from "../../core/errors.ts";
import type { NetworkMode } from "../../core/service.ts";
import type { Log } from "../../lib/log.ts";
import { findNamespaceTools } from "../outbound/find-tools.ts";
import type { Instance, Sandbox, SandboxReport, SandboxSpec } from "../sandbox.ts";
import { requireFreeId } from "../sandbox-id.ts";
import { SERVER_LABEL } from "./container/container-options.ts";
import { EngineDoctor } from "./container/doctor.ts";
import { Engine, type EngineFacts } from "./container/engine.ts";
import { findEngineSocket } from "./container/find-socket.ts";
import { ImportedRoots } from "./container/imported-roots.ts";
import { ContainerInstance, type EngineNetwork, type ImageRootSpec } from "./container/instance.ts";
import { seesFolders } from "./container/sees-folders.ts";

export interface ContainerOptions {
  /** Stands in the labels of this server's containers and images: the same at every start on one data directory, another for each directory.
   *  `[A-Za-z0-9._-]`, at most 64 characters. */
  readonly name: string;
  /** The engine's Unix socket; null for the first of Podman's and Docker's usual ones that is there. */
  readonly socketPath: string | null;
  /** A folder on the file system of what will be mounted. */
  readonly probeFolder: string;
  /** Group that owns inputs; null where the server is an ordinary user. */
  readonly gid: number | null;
  /** A network of the engine for scripts with `outbound`, which the administrator has closed off from the machine; null for none. */
  readonly outboundNetwork: string | null;
  /** Default false. */
  readonly allowHostNetwork?: boolean;
  /** Between SIGTERM and SIGKILL when a script's time runs out. Default 2,000. */
  readonly graceMs?: number;
  /** False: as if the engine saw none of this machine's folders. Default: it is tried. */
  readonly binds?: boolean;
  readonly log: Log;
}

const DEFAULT_GRACE_MS = 2_000;
/** Runs attempts in containers of Docker or Podman, by the Docker Engine API. Images come from Sluice's own store. Where there is no engine, every call says so. */
export async function containerSandbox(options: ContainerOptions): Promise<Sandbox> {
  return new ContainerSandbox(options, new Engine(options.socketPath ?? findEngineSocket(process.env)));
}

/** What is found out once. */
interface Machine {
  readonly facts: EngineFacts;
  readonly binds: boolean;
  /** Of `outbound`; null where there is none. */
  readonly outbound: EngineNetwork | null;
}

class ContainerSandbox implements Sandbox {
  readonly driver = "container";
  readonly #options: ContainerOptions;
  readonly #engine: Engine;
  readonly #roots: ImportedRoots;
  readonly #living = new Map<string, ContainerInstance>();
  #machine: Promise<Machine> | null = null;
  #report: Promise<SandboxReport> | null = null;
  #closed = false;

  constructor(options: ContainerOptions, engine: Engine) {
    this.#options = options;
    this.#engine = engine;
    this.#roots = new ImportedRoots({ engine, name: options.name, log: options.log });
  }

  probe(fresh = false): Promise<SandboxReport> {
    if (fresh || this.#report === null) {
      const doctor = new EngineDoctor({
        engine: this.#engine,
        probeFolder: this.#probeFolder(),
        allowHostNetwork: this.#options.allowHostNetwork ?? false,
        machine: () => this.#look(fresh),
        create: (spec) => this.create(spec),
      });
      this.#report = doctor.examine();
    }
    return this.#report;
  }

  async create(spec: SandboxSpec): Promise<Instance> {
    if (this.#closed) throw new SluiceError("STOPPING", "Cannot make a sandbox: the driver is closed");
    requireFreeId(spec.id, this.#living);
    const { root } = spec;
    if (root.kind === "host") {
      throw new SluiceError(
        "IMAGE_UNSUPPORTED",
        "Cannot run programs of this machine in a container: the service must name an image",
      );
    }
    const machine = await this.#look(false);
    const network = this.#network(spec.network, machine);
    const instance = this.#instance({ ...spec, root }, machine, network);
    this.#living.set(spec.id, instance);
    try {
      await instance.prepare();
      return instance;
    } catch (error) {
      this.#living.delete(spec.id);
      throw error;
    }
  }

  async reclaim(): Promise<string[]> {
    const left = await this.#engine.containers(`${SERVER_LABEL}=${this.#options.name}`);
    for (const id of left) await this.#engine.remove(id);
    const images = await this.#roots.clean();
    return [
      ...(left.length === 0 ? [] : [`Removed ${left.length} containers that an earlier server left`]),
      ...(images === 0 ? [] : [`Removed ${images} images of the container engine whose layers are gone`]),
    ];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#living.values()].map((instance) => instance.destroy()));
  }

  #instance(spec: SandboxSpec & { readonly root: ImageRootSpec }, machine: Machine, network: EngineNetwork) {
    const { options, engine, roots } = { options: this.#options, engine: this.#engine, roots: this.#roots };
    return new ContainerInstance(
      {
        engine,
        facts: machine.facts,
        roots,
        serverName: options.name,
        binds: machine.binds,
        groups: options.gid === null ? [] : [options.gid],
        graceMs: options.graceMs ?? DEFAULT_GRACE_MS,
        release: () => this.#living.delete(spec.id),
      },
      spec,
      network,
    );
  }

  /** Never a weaker network than asked. */
  #network(wanted: NetworkMode, { outbound, facts }: Machine): EngineNetwork {
    if (wanted === "none") return { name: "none", doors: null };
    if (wanted === "host" && this.#options.allowHostNetwork === true) return { name: "host", doors: null };
    if (wanted === "outbound" && outbound !== null) return outbound;
    const why =
      wanted === "host"
        ? "the server's configuration does not allow the machine's own"
        : `${facts.kind}'s networks reach this machine (name one that does not by sandbox.engine_network)`;
    throw new SluiceError("NETWORK_UNSUPPORTED", `Cannot give the sandbox network '${wanted}': ${why}`);
  }

  #look(again: boolean): Promise<Machine> {
    if (again || this.#machine === null) {
      const machine = this.#examine();
      this.#machine = machine;
      machine.catch(() => {
        if (this.#machine === machine) this.#machine = null;
      });
    }
    return this.#machine;
  }

  async #examine(): Promise<Machine> {
    const facts = await this.#engine.facts();
    const { binds, name, outboundNetwork } = this.#options;
    // With ids of its own, root inside cannot read what is mounted.
    const mayBind = binds ?? !facts.remapsUsers;
    return {
      facts,
      binds: mayBind && (await seesFolders(this.#engine, this.#probeFolder(), name)),
      outbound: outboundNetwork === null ? ownNetwork(facts) : { name: outboundNetwork, doors: null },
    };
  }

  #probeFolder(): string {
    return existsSync(this.#options.probeFolder) ? this.#options.probeFolder : tmpdir();
  }
}

/** Podman makes namespaces before it starts anything in them, so that doors can be closed meanwhile. */
function ownNetwork({ kind }: EngineFacts): EngineNetwork | null {
  const tools = findNamespaceTools();
  return kind === "Podman" && !("missing" in tools) ? { name: "slirp4netns", doors: tools } : null;
}
