import type { Worker } from "node:worker_threads";
import { SluiceError } from "../../../core/errors.ts";
import { startThread } from "../../../lib/own-program.ts";
import type { StoreAudit } from "../../store-check-calls.ts";

/** What an audit's thread is told. */
export interface AuditOrder {
  readonly file: string;
  readonly asked: readonly number[];
  readonly limit: number;
}

/** Runs audits, each in a thread that ends with it. */
export class AuditThreads {
  readonly #file: string;
  readonly #running = new Set<Worker>();
  #closed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws SluiceError STOPPING when it is closed before the audit is done */
  run(asked: readonly number[], limit: number): Promise<StoreAudit> {
    if (this.#closed) return Promise.reject(stopping());
    const workerData: AuditOrder = { file: this.#file, asked, limit };
    const worker = startThread("./audit-worker", import.meta.url, { workerData });
    this.#running.add(worker);
    return new Promise<StoreAudit>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(stopping()));
    }).finally(() => this.#running.delete(worker));
  }

  /** Ends what runs. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map((worker) => worker.terminate()));
  }
}

const stopping = (): SluiceError =>
  new SluiceError("STOPPING", "Cannot look through the store: the server is stopping");
