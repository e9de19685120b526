import type { ChangeKind } from "../../../core/change.ts";
import { appendChange } from "./changes.ts";
import { JOB_STATES, type JobRow } from "./job-rows.ts";
import type { Store } from "./store.ts";

/** Appends a job's transition to the change log. `row` holds the job after it; what it does not have is left out of the data. */
export function noteJob(store: Store, row: JobRow, kind: ChangeKind, at: number): void {
  appendChange(store, { at, owner: row.owner, kind, key: row.id, sequencer: row.attempt, data: dataOf(row) });
}

function dataOf(row: JobRow): Record<string, unknown> {
  const data: Record<string, unknown> = {
    service: row.service,
    state: JOB_STATES[row.state],
    attempt: row.attempt,
    hops: row.hops,
    rootEventId: row.root_event_id,
  };
  if (row.reason !== null) data.reason = row.reason;
  if (row.input_key !== null) {
    data.bucket = row.input_bucket;
    data.key = row.input_key;
    data.versionSeq = row.input_version;
  }
  if (row.parent_job_id !== null) data.parentJobId = row.parent_job_id;
  if (row.retry_of !== null) data.retryOf = row.retry_of;
  return data;
}
