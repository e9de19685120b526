import { mkdirSync } from "node:fs";
import { removeTree } from "../../../lib/remove-tree.ts";
import type { ExecResult, SandboxLimits, SandboxMount, SandboxRoot, SandboxSpec } from "../../sandbox.ts";
import type { BubblewrapInstance } from "./instance.ts";

export interface Trial {
  /** Null when the sandbox itself did not start; `error` says why then. */
  readonly result: ExecResult | null;
  readonly output: string;
  readonly error: string;
}

export type CreateSandbox = (spec: SandboxSpec) => Promise<BubblewrapInstance>;

const MEBIBYTE = 1024 * 1024;

const ROOMY: SandboxLimits = {
  cpuMilli: 1000,
  cpuHard: false,
  memoryBytes: 256 * MEBIBYTE,
  pids: 64,
  wallMs: 5_000,
  diskBytes: 64 * MEBIBYTE,
  files: 1_000,
};

let counter = 0;

export interface TrialOptions {
  readonly limits?: Partial<SandboxLimits>;
  /** Sees the sandbox while it runs; then it is stopped. */
  readonly look?: (instance: BubblewrapInstance) => Promise<void>;
  readonly root?: SandboxRoot;
  readonly mounts?: readonly SandboxMount[];
  readonly network?: SandboxSpec["network"];
}

/** Runs a shell script in a real sandbox with a work folder of its own (its working directory), and leaves nothing behind. */
export async function runTrial(
  create: CreateSandbox,
  parent: string,
  script: string,
  { limits = {}, look, root = { kind: "host" }, mounts = [], network = "none" }: TrialOptions = {},
): Promise<Trial> {
  counter += 1;
  const id = `probe-${process.pid}-${counter}`;
  const workFolder = `${parent}/${id}`;
  mkdirSync(workFolder, { recursive: true, mode: 0o711 });
  let output = "";
  try {
    const instance = await create({
      id,
      root,
      workFolder,
      mounts: [{ kind: "folder", source: workFolder, target: "/work", readOnly: false }, ...mounts],
      workingDirectory: "/work",
      limits: { ...ROOMY, ...limits },
      network,
      hostname: "sluice",
      tenant: "",
    });
    try {
      const running = instance.exec({
        argv: ["/bin/sh", "-c", script],
        env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/work" },
        separateStdout: false,
        onOutput: (chunk) => {
          output += chunk.toString("utf8", 0, 4096);
        },
      });
      if (look !== undefined) await Promise.race([look(instance).finally(() => instance.stop(0)), running]);
      return { result: await running, output, error: "" };
    } finally {
      await instance.destroy();
    }
  } catch (error) {
    return { result: null, output, error: error instanceof Error ? error.message : String(error) };
  } finally {
    await removeTree(workFolder);
  }
}
