import type { ExecOptions, ExecResult, Instance, Sandbox, SandboxSpec } from "../../sandbox/sandbox.ts";

/** What a fake script can see and do. */
export interface FakeRun {
  readonly spec: SandboxSpec;
  readonly exec: ExecOptions;
  /** Host path of a path inside. */
  path(inside: string): string;
  print(text: string): Promise<void>;
  /** Aborted by `stop`; its reason is the grace in ms. */
  readonly stopped: AbortSignal;
}

export type FakeScript = (run: FakeRun) => Promise<Partial<ExecResult> | undefined> | Partial<ExecResult> | undefined;

const WELL: ExecResult = {
  exitCode: 0,
  signal: null,
  limit: null,
  notes: [],
  usage: { wallMs: 12, cpuMs: 8, memoryPeakBytes: 4096 },
};

/** A sandbox whose script is a function of the test: it sees the attempt's folder through the mounts. */
export class FakeSandbox implements Sandbox {
  readonly driver = "fake";
  readonly specs: SandboxSpec[] = [];
  /** Ids that are created and not destroyed. */
  readonly living = new Set<string>();
  createError: Error | null = null;
  readonly #script: FakeScript;

  constructor(script: FakeScript) {
    this.#script = script;
  }

  async create(spec: SandboxSpec): Promise<Instance> {
    if (this.createError !== null) throw this.createError;
    this.specs.push(spec);
    this.living.add(spec.id);
    const stopped = new AbortController();
    return {
      exec: async (exec) => ({ ...WELL, ...(await this.#script(fakeRun(spec, exec, stopped.signal))) }),
      stop: async (graceMs) => stopped.abort(graceMs),
      stats: async () => WELL.usage,
      untouched: () => new Set(),
      destroy: async () => void this.living.delete(spec.id),
    };
  }

  async probe(): ReturnType<Sandbox["probe"]> {
    return { driver: "fake", works: true, guards: [], networks: ["none", "host"] };
  }

  async reclaim(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {}
}

function fakeRun(spec: SandboxSpec, exec: ExecOptions, stopped: AbortSignal): FakeRun {
  return {
    spec,
    exec,
    stopped,
    path: (inside) => hostPath(spec, inside),
    print: async (text) => void (await exec.onOutput(Buffer.from(text), "out")),
  };
}

/** The mount with the longest target that holds the path decides, as in a kernel. */
function hostPath(spec: SandboxSpec, inside: string): string {
  const holding = spec.mounts.filter(({ target }) => inside === target || inside.startsWith(`${target}/`));
  const mount = holding.toSorted((a, b) => b.target.length - a.target.length)[0];
  if (mount === undefined) throw new Error(`"${inside}" is not mounted`);
  return `${mount.source}${inside.slice(mount.target.length)}`;
}
