import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { silentLog } from "../src/lib/log.ts";
import { removeTree } from "../src/lib/remove-tree.ts";
import { openSandbox } from "../src/sandbox/open.ts";
import type { Sandbox, SandboxSpec } from "../src/sandbox/sandbox.ts";
import { imageRoot, makeLayers } from "../src/sandbox/testing/test-image.ts";
import { PodmanService } from "../test/engines/support/podman-service.ts";
import type { Bench } from "./bench.ts";
import { median } from "./statistics.ts";

const STARTS = 200;
const RUNS = 600;
const IN_FLIGHT = 4;

interface Place {
  readonly folder: string;
  readonly sandbox: Sandbox;
  readonly layers: readonly string[];
}

async function withImage<Result>(use: (place: Place) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(`${tmpdir()}/sluice-image-`);
  chmodSync(folder, 0o711);
  mkdirSync(`${folder}/layers`);
  const layers = makeLayers(`${folder}/layers`);
  const sandbox = await openSandbox({
    driver: "bubblewrap",
    name: "sluice-bench-image",
    privatePaths: [folder],
    log: silentLog,
  });
  try {
    return await use({ folder, sandbox, layers });
  } finally {
    await sandbox.close();
    await removeTree(folder);
  }
}

let count = 0;

/** Milliseconds from the order to the first byte that the script says, and to its end with everything given back. */
async function one(
  place: Place,
  network: SandboxSpec["network"],
  tenant = "bench",
): Promise<{ firstMs: number; allMs: number }> {
  count += 1;
  const workFolder = `${place.folder}/job-${count}`;
  mkdirSync(workFolder, { mode: 0o711 });
  const begun = performance.now();
  let first = Number.NaN;
  const instance = await place.sandbox.create({
    id: `bench-${count}`,
    root: imageRoot(place.layers),
    workFolder,
    workEntries: [],
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
    network,
    hostname: "bench",
    tenant,
  });
  const { exitCode } = await instance.exec({
    argv: ["/bin/sh", "-c", "echo up"],
    env: { PATH: "/usr/bin:/bin", HOME: "/work" },
    onOutput: () => {
      if (Number.isNaN(first)) first = performance.now();
    },
    separateStdout: false,
  });
  await instance.destroy();
  const allMs = performance.now() - begun;
  await removeTree(workFolder);
  if (exitCode !== 0) throw new Error(`the script ended with ${exitCode}`);
  return { firstMs: first - begun, allMs };
}

/** The options of plain bubblewrap with the same namespaces, over the image's layers copied into one folder. */
const PLAIN = `bwrap --unshare-all --die-with-parent --bind "$1" / --proc /proc --dev /dev --bind "$2" /work`;

function mergedRoot({ folder, layers }: Place): string {
  const root = `${folder}/merged`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  for (const layer of layers) {
    if (spawnSync("cp", ["-a", `${layer}/.`, root]).status !== 0) throw new Error("cannot copy a layer");
  }
  for (const name of ["proc", "dev", "work"]) mkdirSync(`${root}/${name}`, { recursive: true });
  return root;
}

async function plainFirstMs(place: Place, root: string): Promise<number> {
  const begun = performance.now();
  const options = PLAIN.replace('"$1"', root).replace('"$2"', place.folder).split(" ").slice(1);
  const child = spawn("bwrap", [...options, "/bin/sh", "-c", "echo up"], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  if (!Buffer.isBuffer(said)) throw new Error(`plain bubblewrap failed with ${said}`);
  const firstMs = performance.now() - begun;
  await once(child, "exit");
  return firstMs;
}

/** From the order to the script's first word on a cached image, beside plain bubblewrap on the same files, started and awaited by this process too. */
export const imageStart: Bench = {
  name: "image-start",
  unit: "ms",
  run: () =>
    withImage(async (place) => {
      const root = mergedRoot(place);
      for (let n = 0; n < 20; n++) await one(place, "none");
      const [ours, floors, outbound]: [number[], number[], number[]] = [[], [], []];
      for (let n = 0; n < STARTS; n++) {
        ours.push((await one(place, "none")).firstMs);
        floors.push(await plainFirstMs(place, root));
      }
      const { networks } = await place.sandbox.probe();
      if (networks.includes("outbound")) {
        for (let n = 0; n < STARTS / 4 + 5; n++) outbound.push((await one(place, "outbound")).firstMs);
      }
      const [value, floor] = [median(ours), median(floors)];
      const said =
        outbound.length === 0
          ? "not to be had here"
          : `${median(outbound.slice(5)).toFixed(1)} ms; ${await firstOfService(place)}`;
      return {
        value,
        floor,
        ratio: value / floor,
        target: "≤ 1.3 × plain bubblewrap",
        ok: value <= 1.3 * floor,
        notes: [`network outbound: ${said}`],
      };
    }),
};

/** What a service's first job gains where it asks for instances that are ready. */
async function firstOfService(place: Place): Promise<string> {
  const [cold, kept]: [number[], number[]] = [[], []];
  for (let n = 0; n < 15; n++) {
    cold.push((await one(place, "outbound", `cold-${n}`)).firstMs);
    const root = imageRoot(place.layers);
    await place.sandbox.keepReady?.([{ root, network: "outbound", tenant: `kept-${n}`, count: 1 }]);
    kept.push((await one(place, "outbound", `kept-${n}`)).firstMs);
  }
  return `the first job of a service ${median(cold).toFixed(0)} ms, ${median(kept).toFixed(1)} ms with min_scale: 1`;
}

/** The same first word beside `podman run` of the same image, and beside Sluice's own driver for it. */
export const imageStartPodman: Bench = {
  name: "image-start-podman",
  unit: "ms",
  run: () =>
    withImage(async (place) => {
      if (spawnSync("podman", ["--version"]).status !== 0)
        throw new Error("podman is not installed (setup.sh --engines)");
      const podman = await PodmanService.start();
      try {
        const archive = `${place.folder}/image.tar`;
        spawnSync("tar", ["-C", mergedRoot(place), "-cf", archive, "."]);
        podman.run("import", "--quiet", archive, "bench:1");
        const [ours, theirs, driver]: [number[], number[], number[]] = [[], [], []];
        const containers = { ...place, sandbox: await podmanDriver(place, podman.socketPath) };
        for (let n = 0; n < 5; n++) await one(place, "none");
        for (let n = 0; n < PODMAN_STARTS; n++) {
          ours.push((await one(place, "none")).firstMs);
          theirs.push(podmanRunMs(podman));
          driver.push((await one(containers, "none")).firstMs);
        }
        await containers.sandbox.close();
        const [value, floor] = [median(ours), median(theirs)];
        return {
          value,
          floor,
          ratio: value / floor,
          target: "≥ 5 × faster than podman run",
          ok: floor >= 5 * value,
          notes: [
            `${(floor / value).toFixed(0)} × faster; Sluice's driver for Podman: ${median(driver).toFixed(0)} ms`,
          ],
        };
      } finally {
        await podman.stop();
      }
    }),
};

const PODMAN_STARTS = 15;

function podmanDriver({ folder }: Place, socketPath: string): Promise<Sandbox> {
  return openSandbox({
    driver: "container",
    name: "sluice-bench-podman",
    socketPath,
    probeFolder: folder,
    gid: null,
    outboundNetwork: null,
    log: silentLog,
  });
}

/** With its end: only then does this process have its output. */
function podmanRunMs(podman: PodmanService): number {
  const limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=1000:1000"];
  const begun = performance.now();
  podman.run("run", "--rm", "--network", "none", ...limits, "bench:1", "/bin/sh", "-c", "echo up");
  return performance.now() - begun;
}

/** Sandboxes a second on an image, four at a time, beside as many plain ones. */
export const imageRate: Bench = {
  name: "image-rate",
  unit: "sandboxes/s",
  run: () =>
    withImage(async (place) => {
      const root = mergedRoot(place);
      await many(place, 4 * IN_FLIGHT);
      const before = plainRate(place, root);
      const value = await many(place, RUNS);
      const floor = Math.max(before, plainRate(place, root));
      return {
        value,
        floor,
        ratio: value / floor,
        target: "≥ 0.8 × xargs -P2 bwrap",
        ok: value >= 0.8 * floor,
        notes: [],
      };
    }),
};

async function many(place: Place, runs: number): Promise<number> {
  const begun = performance.now();
  let left = runs;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await one(place, "none");
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return (runs / (performance.now() - begun)) * 1000;
}

function plainRate(place: Place, root: string): number {
  const begun = performance.now();
  const script = `seq ${RUNS} | xargs -P2 -n1 ${PLAIN} /bin/sh -c "echo up"`;
  const { status } = spawnSync("sh", ["-c", script, "floor", root, place.folder], { stdio: "ignore" });
  if (status !== 0) throw new Error(`plain bubblewrap failed with ${status}`);
  return (RUNS / (performance.now() - begun)) * 1000;
}
