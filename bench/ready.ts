import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { newFolder, startServer } from "../test/support/server.ts";
import type { Bench } from "./bench.ts";
import { median } from "./statistics.ts";

const RUNS = 7;

/** Seconds from the start of `sluice up` to its ready line, on a new data directory. The floor is a Node process that listens on two ports. */
export const ready: Bench = {
  name: "ready",
  unit: "s",
  async run() {
    const ours: number[] = [];
    const floors: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const parent = await newFolder("ready");
      const before = performance.now();
      const server = await startServer({ data: `${parent}/data` });
      ours.push((performance.now() - before) / 1000);
      await server.stop();
      await rm(parent, { recursive: true });
      floors.push(await bareNode());
    }
    const value = median(ours);
    const floor = median(floors);
    return {
      value,
      floor,
      ratio: value / floor,
      target: "≤ 1 s",
      ok: value <= 1,
      notes: [`${RUNS} starts, slowest ${Math.max(...ours).toFixed(2)} s`],
    };
  },
};

function bareNode(): Promise<number> {
  const program = `const h=require("http");let n=0;const up=()=>{if(++n===2){console.log("up");process.exit()}};
    h.createServer().listen(0,up);h.createServer().listen(0,up)`;
  const before = performance.now();
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.stdout.once("data", () => resolve((performance.now() - before) / 1000));
  });
}
