import { crashPoint } from "../../../lib/crash-point.ts";
import { cancelQueuedChunk } from "./cancel-queued.ts";
import { firstChore, removeChore } from "./chore-rows.ts";
import { anyFanOut, fanOutChunk } from "./fan-out.ts";
import { purgeChunk } from "./purge.ts";
import type { Store } from "./store.ts";

/** Goes on with what big finishes and removals left, at most `limit` rows. Returns true while there may be more. */
export function continueFanOut(store: Store, limit: number): boolean {
  const worked = fanOutChunk(store, limit) || choreChunk(store, limit);
  if (worked) crashPoint("fan-out.chunk");
  return worked;
}

/** True while `continueFanOut` has something to do. */
export function moreToDo(store: Store): boolean {
  return anyFanOut(store) || firstChore(store) !== undefined;
}

function choreChunk(store: Store, limit: number): boolean {
  const chore = firstChore(store);
  if (chore === undefined) return false;
  const done =
    chore.kind === "cancel"
      ? cancelQueuedChunk(store, chore.subject, chore.upto, limit)
      : purgeChunk(store, { id: chore.upto, name: chore.subject, owner: chore.owner }, limit);
  if (done < limit) removeChore(store, chore.id);
  return true;
}
