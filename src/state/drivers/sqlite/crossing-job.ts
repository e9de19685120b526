import type { EventObject, FileEvent } from "../../../core/file-event.ts";
import type { StagedBlob } from "../../../core/object.ts";
import type { BornJob, JobOrder } from "./queued-job.ts";
import { ownBlob } from "./staged-bytes.ts";

/** An order and its answer as they cross between threads: one flat row each, because an object's names are written and read again with
 *  every object, which costs more than the values. */
export type OrderRow = readonly [
  service: string,
  runName: string | null,
  priority: number,
  body: StagedBlob | null,
  eventId: string,
  source: FileEvent["source"],
  time: number,
  object: EventObject | null,
  rootId: string,
  parentJobId: string | null,
  hops: number,
  payload: string,
];
export type BornRow = readonly [id: string, revisionId: string, owner: string, createdAt: number];

export function orderRow({ service, event, body, runName, priority }: JobOrder): OrderRow {
  const { id, source, time, object, rootId, parentJobId, hops, payload } = event;
  const own = body === null ? null : ownBlob(body);
  return [service, runName, priority, own, id, source, time, object, rootId, parentJobId, hops, payload];
}

export function orderOf(row: OrderRow): JobOrder {
  const [service, runName, priority, body, id, source, time, object, rootId, parentJobId, hops, payload] = row;
  return {
    service,
    runName,
    priority,
    body,
    event: { id, source, time, object, rootId, parentJobId, hops, payload },
  };
}

export const bornRow = ({ id, revisionId, owner, createdAt }: BornJob): BornRow => [id, revisionId, owner, createdAt];

export const bornOf = ([id, revisionId, owner, createdAt]: BornRow): BornJob => ({ id, revisionId, owner, createdAt });
