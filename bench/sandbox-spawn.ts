import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { silentLog } from "../src/lib/log.ts";
import { removeTree } from "../src/lib/remove-tree.ts";
import { openSandbox } from "../src/sandbox/open.ts";
import type { Sandbox } from "../src/sandbox/sandbox.ts";
import type { Bench, BenchResult } from "./bench.ts";

const RUNS = 1_000;
const IN_FLIGHT = 4;
const TARGET = 1.3;

/** Sandboxes a server can start, one after another in four slots, beside plain bubblewrap with the same namespaces. */
export const sandboxSpawn: Bench = {
  name: "sandbox-spawn",
  unit: "ms a sandbox",
  async run(): Promise<BenchResult> {
    const folder = mkdtempSync(`${tmpdir()}/sluice-spawn-`);
    chmodSync(folder, 0o711);
    const sandbox = await openSandbox({
      driver: "bubblewrap",
      name: "sluice-bench-spawn",
      privatePaths: [folder],
      log: silentLog,
    });
    try {
      await many(sandbox, folder, 4 * IN_FLIGHT);
      const floorBefore = plainMs(folder);
      const ours = await many(sandbox, folder, RUNS);
      const floor = Math.min(floorBefore, plainMs(folder));
      const ratio = ours.wallMs / floor;
      return {
        value: ours.wallMs,
        floor,
        ratio,
        target: `≤ ${TARGET} × plain bubblewrap`,
        ok: ratio <= TARGET,
        notes: [`${ours.cpuMs.toFixed(2)} ms of the server's processor time a sandbox`],
      };
    } finally {
      await sandbox.close();
      await removeTree(folder);
    }
  },
};

async function many(sandbox: Sandbox, folder: string, runs: number): Promise<{ wallMs: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < runs) {
      next += 1;
      await one(sandbox, folder, `bench-${next}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: (performance.now() - begun) / runs, cpuMs: (user + system) / 1000 / runs };
}

async function one(sandbox: Sandbox, folder: string, id: string): Promise<void> {
  const workFolder = `${folder}/${id}`;
  mkdirSync(workFolder, { mode: 0o711 });
  writeFileSync(`${workFolder}/script`, "exit 0\n");
  const instance = await sandbox.create({
    id,
    root: { kind: "host" },
    workFolder,
    mounts: [{ kind: "folder", source: workFolder, target: "/work", readOnly: false }],
    workingDirectory: "/work",
    limits: {
      cpuMilli: 500,
      cpuHard: false,
      memoryBytes: 2 ** 28,
      pids: 256,
      wallMs: 60_000,
      diskBytes: 2 ** 30,
      files: 1_000,
    },
    network: "none",
    hostname: "bench",
    tenant: "bench",
  });
  const { exitCode } = await instance.exec({
    argv: ["/bin/sh", "/work/script"],
    env: { PATH: "/usr/bin:/bin", HOME: "/work" },
    onOutput: () => {},
    separateStdout: false,
  });
  await instance.destroy();
  await removeTree(workFolder);
  if (exitCode !== 0) throw new Error(`the script ended with ${exitCode}`);
}

/** The same namespaces, a program folder, one work folder; no limits, no user of its own. */
function plainMs(folder: string): number {
  const script = `seq ${RUNS} | xargs -P${IN_FLIGHT} -n1 bwrap --unshare-all --die-with-parent --ro-bind /usr /usr \
    --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --bind "$1" /work /bin/sh -c "exit 0"`;
  const begun = performance.now();
  const { status } = spawnSync("sh", ["-c", script, "floor", folder], { stdio: "ignore" });
  if (status !== 0) throw new Error(`plain bubblewrap failed with ${status}`);
  return (performance.now() - begun) / RUNS;
}
