/** Runs sandboxes as whoever starts it and prints what came of it as JSON: for tests of the driver as an ordinary user.
 *  Arguments: a folder that belongs to the user. */
import { mkdirSync } from "node:fs";
import { SandboxBench } from "./sandbox-bench.ts";
import { imageRoot, makeLayers } from "./test-image.ts";

const bench = await SandboxBench.open("bubblewrap");
const up = Promise.withResolvers<void>();
mkdirSync(`${bench.folder}/layers`);
const root = imageRoot(makeLayers(`${bench.folder}/layers`), "worker");
const report = await bench.sandbox.probe();
const runs = {
  plain: await bench.run("echo hello; id -un; exit 7"),
  image: await bench.run("id -u; echo more >>/usr/share/base; rm /usr/share/more; cat /usr/share/base; ls /usr/share", {
    root,
  }),
  background: await bench.run("sleep 300 & sleep 300 & exit 0"),
  memory: await bench.run("head -c 300000000 /dev/zero | tail -c 290000000 | sleep 5", {
    limits: { memoryBytes: 64 * 2 ** 20 },
  }),
  shm: await bench.run("head -c 200000000 /dev/zero >/dev/shm/file", { limits: { memoryBytes: 64 * 2 ** 20 } }),
  disk: await bench.run("head -c 20000000 /dev/zero >large", { limits: { diskBytes: 2 ** 20 } }),
  files: await bench.run("i=0; while :; do : >f$i; i=$((i+1)); done", { limits: { files: 200 } }),
  pids: await bench.run("i=0; while [ $i -lt 2000 ]; do sleep 60 & i=$((i+1)); done; echo all"),
  wall: await bench.run("trap '' TERM; while :; do sleep 1; done", { limits: { wallMs: 100 } }),
  stopped: await bench.run("echo up; sleep 60", {
    onOutput: () => up.resolve(),
    whileRunning: async (instance) => {
      await up.promise;
      await instance.stop(10_000);
    },
  }),
  locked: await bench.run("mkdir d; : >d/f; chmod 0 d/f d; ls -ld d"),
};
await bench.close();
process.stdout.write(JSON.stringify({ report, runs }));
