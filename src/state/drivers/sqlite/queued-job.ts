import { MAX_HOPS } from "../../../core/file-event.ts";
import type { Job } from "../../../core/job.ts";
import type { NewJob } from "../../state.ts";

/** What a caller orders; whose job it becomes is the service's matter. */
export type JobOrder = Omit<NewJob, "by">;

/** What the transaction decides about a new job. Only this comes back from the worker: the rest is in the order. */
export interface BornJob {
  readonly id: string;
  readonly revisionId: string;
  readonly owner: string;
  readonly createdAt: number;
}

export const isLoop = (event: { readonly hops: number }): boolean => event.hops > MAX_HOPS;

export const LOOP_MESSAGE = `the event came through more than ${MAX_HOPS} jobs in a row (break the loop of services, or filter their inputs)`;

/** The job as its row says it right after the commit: QUEUED, or FAILED when its event has gone through too many jobs. */
export function queuedJob({ service, event, body, runName, priority }: JobOrder, born: BornJob): Job {
  const { object } = event;
  const looping = isLoop(event);
  return {
    ...UNTRIED,
    id: born.id,
    service,
    revisionId: born.revisionId,
    owner: born.owner,
    state: looping ? "FAILED" : "QUEUED",
    reason: looping ? "loop" : null,
    message: looping ? LOOP_MESSAGE : "",
    priority,
    runName,
    eventId: event.id,
    rootEventId: event.rootId,
    parentJobId: event.parentJobId,
    hops: event.hops,
    retryOf: null,
    input: object === null ? null : { bucket: object.bucket, key: object.key, versionSeq: object.versionSeq },
    inputBytes: body?.sizeBytes ?? object?.sizeBytes ?? 0,
    createdAt: born.createdAt,
    notBefore: born.createdAt,
    endedAt: looping ? born.createdAt : null,
  };
}

const UNTRIED = {
  startedAt: null,
  attempt: 0,
  counts: { scriptFailures: 0, infrastructureEnds: 0, uncleanStops: 0 },
  exitCode: null,
  signal: null,
  usage: null,
  replacedOutputs: 0,
  outputCount: 0,
} as const;
