import { Worker } from "node:worker_threads";

const PROGRAM = `
const { monitorEventLoopDelay } = require("node:perf_hooks");
const { parentPort } = require("node:worker_threads");
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();
parentPort.on("message", () => { parentPort.postMessage(loop.percentile(99) / 1e6); loop.reset(); });`;

/** A thread that does nothing: how late it is woken says how busy the machine is, which a busy server must not be blamed for. */
export class IdleThread {
  readonly #worker = new Worker(PROGRAM, { eval: true });

  /** The 99th percentile of its event loop's delay since the last look, in ms. */
  p99Ms(): Promise<number> {
    const said = new Promise<number>((resolve) => this.#worker.once("message", resolve));
    this.#worker.postMessage(null);
    return said;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
