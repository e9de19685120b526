import type { Backend } from "../backend/backend.ts";
import { SluiceError } from "../core/errors.ts";
import type { LedgerWorker } from "./capacity-ledger.ts";

/** Asks every backend for its workers, in the order of the backends. @throws CONFIG_INVALID when two have one name; what a backend throws */
export async function backendWorkers(backends: readonly Backend[]): Promise<LedgerWorker[]> {
  const workers = new Map<string, LedgerWorker>();
  for (const backend of backends) {
    for (const { name, capacity, slots } of await backend.workers()) {
      if (workers.has(name)) {
        throw new SluiceError(
          "CONFIG_INVALID",
          `Cannot use two workers named "${name}": give one of them another name`,
        );
      }
      workers.set(name, { name, capacity, slots, backend: backend.name });
    }
  }
  return [...workers.values()];
}
