import type { ChangeKind } from "../../../core/change.ts";
import { appendChange } from "./changes.ts";
import { JOB_STATES, type JobRow } from "./job-rows.ts";
import type { Store } from "./store.ts";

/** Appends a job's transition to the change log. `row` holds the job after it; what it does not have is left out of the data. */
export function noteJob(store: Store, row: JobRow, kind: ChangeKind, at: number): void {
  appendChange(store, {
    at,
    owner: row.owner,
    kind,
    key: row.id,
    sequencer: row.attempt,
    data: {
      service: row.service,
      state: JOB_STATES[row.state],
      attempt: row.attempt,
      hops: row.hops,
      rootEventId: row.root_event_id,
      ...(row.reason === null ? {} : { reason: row.reason }),
      ...(row.input_key === null ? {} : inputOf(row)),
      ...(row.parent_job_id === null ? {} : { parentJobId: row.parent_job_id }),
      ...(row.retry_of === null ? {} : { retryOf: row.retry_of }),
    },
  });
}

const inputOf = (row: JobRow) => ({
  bucket: row.input_bucket,
  key: row.input_key,
  versionSeq: row.input_version,
});
