import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { silentLog } from "../../lib/log.ts";
import { removeTree } from "../../lib/remove-tree.ts";
import type { BubblewrapOptions } from "../drivers/bubblewrap.ts";
import type { ContainerOptions } from "../drivers/container.ts";
import type { MockOrder } from "../drivers/mock.ts";
import { openSandbox } from "../open.ts";
import type {
  ExecResult,
  Instance,
  Sandbox,
  SandboxLimits,
  SandboxMount,
  SandboxRoot,
  SandboxSpec,
} from "../sandbox.ts";

const MEBIBYTE = 1024 * 1024;

export const ROOMY_LIMITS: SandboxLimits = {
  cpuMilli: 1000,
  cpuHard: false,
  memoryBytes: 256 * MEBIBYTE,
  pids: 64,
  wallMs: 30_000,
  diskBytes: 64 * MEBIBYTE,
  files: 10_000,
};

export interface RunResult extends ExecResult {
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly limits?: Partial<SandboxLimits>;
  readonly env?: Readonly<Record<string, string>>;
  readonly separateStdout?: boolean;
  /** What the mock driver does in the script's place. */
  readonly mock?: MockOrder;
  /** Mounts besides the work folder at /work. */
  readonly mounts?: readonly SandboxMount[];
  readonly network?: SandboxSpec["network"];
  readonly root?: SandboxSpec["root"];
  readonly tenant?: string;
  readonly reuse?: boolean;
  readonly outputFolder?: string;
  readonly workingDirectory?: string;
  readonly workEntries?: readonly string[];
  readonly onOutput?: (chunk: Buffer, stream: "out" | "err") => void | Promise<void>;
  /** Called when the program was started, with the living sandbox. */
  readonly whileRunning?: (instance: Instance) => Promise<void> | void;
}

let sandboxes = 0;

function benchName(): string {
  sandboxes += 1;
  return `sluice-test-${process.pid}-${sandboxes}`;
}

/** The sandboxes' users may pass. */
function makeFolder(): string {
  const folder = mkdtempSync(`${tmpdir()}/sluice-sandbox-`);
  chmodSync(folder, 0o711);
  return folder;
}

/** A sandbox driver with folders of its own for one test file. */
export class SandboxBench {
  readonly sandbox: Sandbox;
  /** The sandboxes' users may pass. */
  readonly folder: string;
  readonly #root: SandboxRoot;
  #runs = 0;

  private constructor(sandbox: Sandbox, folder: string, root: SandboxRoot = { kind: "host" }) {
    [this.sandbox, this.folder, this.#root] = [sandbox, folder, root];
  }

  /** One of a container engine, whose sandboxes have the root of an image unless they name another. */
  static async openContainers(options: Partial<ContainerOptions>, root: SandboxRoot): Promise<SandboxBench> {
    const folder = makeFolder();
    const sandbox = await openSandbox({
      driver: "container",
      name: benchName(),
      socketPath: null,
      probeFolder: folder,
      gid: null,
      outboundNetwork: null,
      graceMs: 300,
      log: silentLog,
      ...options,
    });
    return new SandboxBench(sandbox, folder, root);
  }

  static async open(driver: "bubblewrap" | "mock", options: Partial<BubblewrapOptions> = {}): Promise<SandboxBench> {
    const [folder, name] = [makeFolder(), benchName()];
    const sandbox = await openSandbox(
      driver === "mock"
        ? { driver }
        : { driver, name, privatePaths: [`${folder}/private`], log: silentLog, graceMs: 300, ...options },
    );
    return new SandboxBench(sandbox, folder);
  }

  async close(): Promise<void> {
    await this.sandbox.close();
    await removeTree(this.folder);
  }

  /** A folder for one sandbox, as the supervisor would make it. */
  workFolder(): string {
    this.#runs += 1;
    const path = `${this.folder}/work-${this.#runs}`;
    mkdirSync(path, { mode: 0o700 });
    return path;
  }

  spec(workFolder: string, options: RunOptions = {}): SandboxSpec {
    return {
      id: workFolder.slice(this.folder.length + 1),
      root: options.root ?? this.#root,
      workFolder,
      ...(options.outputFolder === undefined ? {} : { outputFolder: options.outputFolder }),
      ...(options.workEntries === undefined ? {} : { workEntries: options.workEntries }),
      mounts: [{ kind: "folder", source: workFolder, target: "/work", readOnly: false }, ...(options.mounts ?? [])],
      workingDirectory: options.workingDirectory ?? "/work",
      limits: { ...ROOMY_LIMITS, ...options.limits },
      network: options.network ?? "none",
      hostname: "sluice-test",
      tenant: options.tenant ?? "test",
      reuse: options.reuse ?? false,
    };
  }

  /** Runs a shell script in a sandbox of its own to its end and destroys the sandbox; the work folder stays. */
  async run(script: string, options: RunOptions = {}, workFolder = this.workFolder()): Promise<RunResult> {
    const instance = await this.sandbox.create(this.spec(workFolder, options));
    try {
      return await this.runIn(instance, script, options);
    } finally {
      await instance.destroy();
    }
  }

  /** Runs a shell script in a living sandbox. */
  async runIn(instance: Instance, script: string, options: RunOptions = {}): Promise<RunResult> {
    const said = { out: "", err: "" };
    const running = instance.exec({
      argv: ["/bin/sh", "-c", script],
      env: { PATH: "/usr/bin:/bin", ...options.env, ...this.#mockEnv(options) },
      separateStdout: options.separateStdout ?? false,
      onOutput:
        options.onOutput ??
        ((chunk, stream) => {
          said[stream] += chunk.toString();
        }),
    });
    const [result] = await Promise.all([running, options.whileRunning?.(instance)]);
    return { ...result, ...said };
  }

  /** What the mock does stands in the environment, where it may be larger than a real program takes. */
  #mockEnv({ mock = {} }: RunOptions): Record<string, string> {
    return this.sandbox.driver === "mock" ? { SLUICE_MOCK: JSON.stringify(mock) } : {};
  }
}
