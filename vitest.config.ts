import { existsSync, statfsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Where each run leaves its counts as JSON, for a summary over several runs; unset for people at a terminal. */
const reports = process.env.SLUICE_TEST_REPORTS;

// Each state that a test opens is a worker thread that reads a hundred source files: with their types stripped once it opens in half the time.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");

/** Tests that take their time: many processes, killed at every step; disks that fill; hostile bytes by the million; random layers by the thousand;
 *  networks of a whole laboratory. Each file has a process of its own. */
const long = [
  "src/cli/upload-in-parts.test.ts",
  "src/dispatch/fenced-run.test.ts",
  "src/images/random-layers.test.ts",
  "src/images/store/*.test.ts",
  "src/lib/walk-tree.test.ts",
  "src/objectstore/scrub/store-check.test.ts",
  "src/sandbox/drivers/bubblewrap/network/outbound.test.ts",
  "src/state/backup.test.ts",
  "src/state/drivers/sqlite/channel.test.ts",
  "src/supervisor/hostile-scripts.test.ts",
];

/** Tests of what a process has, or does to itself (descriptors, children, control groups by its id, umask, mounts), and of more than one file
 *  system. Their files lie on the disk. */
const alone = [
  "src/main/{expose-data-dir,keep-*,port-keys}.test.ts",
  "src/objectstore/file-blobs.test.ts",
  "src/sandbox/sandbox.test.ts",
  "src/sandbox/drivers/bubblewrap.test.ts",
  "src/sandbox/drivers/bubblewrap/!(failure|launcher-script|owned-name|run|uid-block).test.ts",
];

/** For the files of the other unit tests: memory where there is much of it, because a disk that others keep busy makes them wait. */
function roomyFolder(): string {
  const memory = "/dev/shm";
  if (process.env.TMPDIR !== undefined || !existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 2 ** 30 ? memory : tmpdir();
}

// Unit tests wait for disks and programs half of their time.
const unit = { testTimeout: 30_000, maxWorkers: availableParallelism() + 2 };

/** `unit` runs many files in one process, `unit-alone` each in a process of its own, and both with every `npm run check`; `long` is the rest of what
 *  stands beside the source; `e2e` starts real servers and real programs, one file at a time; `engines` is that with what `setup.sh --engines`
 *  installs. */
export default defineConfig({
  test: {
    // Machines that are shared stall for seconds now and then; a test that fails three times in a row fails.
    retry: process.env.CI ? 2 : 0,
    // What a test waits for comes in a moment, or on such a machine later.
    expect: { poll: { timeout: 20_000 } },
    globalSetup: ["test/support/remove-leftovers.ts"],
    // Worker threads that strip types run WebAssembly; V8's table of protected code pages then loses entries when such a thread ends, on
    // processors with protection keys ("Check failed: jit_page.has_value()", archestra-ai/archestra#6177).
    execArgv: ["--no-memory-protection-keys"],
    // Node loads the sources as it does in a server, without a transform of every file.
    experimental: { viteModuleRunner: false },
    reporters: reports ? ["default", ["json", { outputFile: `${reports}/${process.pid}.json` }]] : ["default"],
    projects: [
      {
        extends: true,
        test: {
          ...unit,
          name: "unit",
          include: ["src/**/*.test.ts", "test/rules/*.test.ts"],
          exclude: [...alone, ...long],
          env: { TMPDIR: roomyFolder() },
          isolate: false,
        },
      },
      {
        extends: true,
        test: { ...unit, name: "unit-alone", include: alone, exclude: long },
      },
      {
        extends: true,
        test: { ...unit, name: "long", include: long },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "engines",
          include: ["test/engines/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
