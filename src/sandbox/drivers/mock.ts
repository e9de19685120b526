import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SluiceError } from "../../core/errors.ts";
import type { NetworkMode } from "../../core/service.ts";
import type {
  ExecOptions,
  ExecResult,
  Instance,
  Sandbox,
  SandboxReport,
  SandboxSpec,
  SandboxUsage,
} from "../sandbox.ts";
import { requireFreeId } from "../sandbox-id.ts";
import { type SandboxRun, SerialInstance } from "../serial-instance.ts";

/** How one run of the mock goes. Everything is optional: an empty one succeeds at once. */
export interface MockOrder {
  /** Takes this long; `stop` cuts it short. */
  readonly sleepMs?: number;
  /** Runs until it is stopped or its time is over. */
  readonly hang?: boolean;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly limit?: NonNullable<ExecResult["limit"]>;
  readonly notes?: readonly string[];
  /** Written to stdout. */
  readonly log?: string;
  /** Written to stderr. */
  readonly errorLog?: string;
  /** Files to write: path inside the sandbox (relative ones in the working directory) → text. Only where a writable mount is. */
  readonly files?: Readonly<Record<string, string>>;
  /** The sandbox itself does not start, with this reason. */
  readonly unavailable?: string;
}

export interface MockOptions {
  /** What a run does. Default: the JSON of the variable SLUICE_MOCK in the run's environment, or success. */
  readonly behaviour?: (exec: ExecOptions, spec: SandboxSpec) => MockOrder | Promise<MockOrder>;
  /** Networks it says it has; default all. */
  readonly networks?: readonly NetworkMode[];
}

/** A sandbox that starts no process: for tests of everything above it, and for a newcomer's first look. It isolates nothing. */
export function mockSandbox(options: MockOptions = {}): Sandbox {
  return new MockSandbox(options);
}

const NETWORKS: readonly NetworkMode[] = ["none", "outbound", "host"];

class MockSandbox implements Sandbox {
  readonly driver = "mock";
  readonly #options: MockOptions;
  readonly #living = new Set<string>();

  constructor(options: MockOptions) {
    this.#options = options;
  }

  async probe(): Promise<SandboxReport> {
    const why = "The mock driver isolates nothing";
    const guard = { name: "user-namespaces", state: "missing", why, mend: "sandbox.driver: bubblewrap" } as const;
    return { driver: this.driver, works: true, guards: [guard], networks: this.#options.networks ?? NETWORKS };
  }

  async create(spec: SandboxSpec): Promise<Instance> {
    if (!(this.#options.networks ?? NETWORKS).includes(spec.network)) {
      throw new SluiceError(
        "NETWORK_UNSUPPORTED",
        `Cannot give the sandbox network '${spec.network}': the mock was told to have none`,
      );
    }
    requireFreeId(spec.id, this.#living);
    this.#living.add(spec.id);
    const behaviour = this.#options.behaviour ?? fromEnvironment;
    return new MockInstance(spec, behaviour, () => this.#living.delete(spec.id));
  }

  async reclaim(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#living.clear();
  }
}

function fromEnvironment(exec: ExecOptions): MockOrder {
  return JSON.parse(exec.env.SLUICE_MOCK ?? "{}") as MockOrder;
}

type Behaviour = NonNullable<MockOptions["behaviour"]>;
type Stop = { readonly signal: string; readonly limit: ExecResult["limit"] };

class MockInstance extends SerialInstance<MockRun> {
  readonly #spec: SandboxSpec;
  readonly #behaviour: Behaviour;
  readonly #gone: () => void;

  constructor(spec: SandboxSpec, behaviour: Behaviour, gone: () => void) {
    super();
    [this.#spec, this.#behaviour, this.#gone] = [spec, behaviour, gone];
  }

  untouched(): ReadonlySet<string> {
    return new Set();
  }

  protected makeRun(options: ExecOptions): MockRun {
    return new MockRun(this.#spec, this.#behaviour, options);
  }

  protected async leave(): Promise<void> {
    this.#gone();
  }
}

class MockRun implements SandboxRun {
  readonly #spec: SandboxSpec;
  readonly #behaviour: Behaviour;
  readonly #options: ExecOptions;
  readonly #stopped = Promise.withResolvers<Stop>();
  readonly #begun = performance.now();

  constructor(spec: SandboxSpec, behaviour: Behaviour, options: ExecOptions) {
    [this.#spec, this.#behaviour, this.#options] = [spec, behaviour, options];
  }

  stop(graceMs: number): void {
    this.#stopped.resolve({ signal: graceMs > 0 ? "SIGTERM" : "SIGKILL", limit: null });
  }

  usage(): SandboxUsage {
    return { wallMs: performance.now() - this.#begun, cpuMs: 0, memoryPeakBytes: 0 };
  }

  async result(): Promise<ExecResult> {
    const options = this.#options;
    const order = await this.#behaviour(options, this.#spec);
    if (order.unavailable !== undefined) {
      throw new SluiceError("SANDBOX_UNAVAILABLE", `Cannot start a sandbox: ${order.unavailable}`);
    }
    if (order.log !== undefined) await options.onOutput(Buffer.from(order.log), "out");
    if (order.errorLog !== undefined) {
      await options.onOutput(Buffer.from(order.errorLog), options.separateStdout ? "err" : "out");
    }
    const stop = await this.#wait(order, this.#stopped.promise);
    if (stop === null) for (const [path, text] of Object.entries(order.files ?? {})) this.#write(path, text);
    return { ...ending(order, stop), notes: order.notes ?? [], usage: this.usage() };
  }

  /** Null when the run came to its own end. */
  async #wait(order: MockOrder, stopped: Promise<Stop>): Promise<Stop | null> {
    if (!order.hang && !order.sleepMs) return null;
    const timers = new AbortController();
    const after = <T>(ms: number, value: T): Promise<T> => sleep(ms, value, { signal: timers.signal });
    const ends: Promise<Stop | null>[] = [stopped];
    if (!order.hang && order.sleepMs) ends.push(after(order.sleepMs, null));
    const { wallMs } = this.#spec.limits;
    if (wallMs !== null) ends.push(after(wallMs, { signal: "SIGTERM", limit: "wall" } as const));
    for (const end of ends) end.catch(() => {});
    try {
      return await Promise.race(ends);
    } finally {
      timers.abort();
    }
  }

  #write(path: string, text: string): void {
    const inside = path.startsWith("/") ? path : `${this.#spec.workingDirectory}/${path}`;
    const mount = this.#spec.mounts
      .filter(({ target }) => inside === target || inside.startsWith(`${target}/`))
      .sort((a, b) => b.target.length - a.target.length)[0];
    if (mount === undefined || mount.readOnly) {
      throw new SluiceError("INTERNAL", `Cannot write '${inside}' in the mock sandbox: no writable mount is there`);
    }
    const file = `${mount.source}${inside.slice(mount.target.length)}`;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

function ending(order: MockOrder, stop: Stop | null): Pick<ExecResult, "exitCode" | "signal" | "limit"> {
  if (stop !== null) return { exitCode: null, signal: stop.signal, limit: stop.limit };
  if (order.signal !== undefined) return { exitCode: null, signal: order.signal, limit: order.limit ?? null };
  return { exitCode: order.exitCode ?? (order.limit === undefined ? 0 : 1), signal: null, limit: order.limit ?? null };
}
