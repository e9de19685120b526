import type { ChangeKind } from "../../../core/change.ts";
import { appendChange } from "./changes.ts";
import { JOB_STATES, type JobRow } from "./job-rows.ts";
import type { Store } from "./store.ts";

/** Appends a job's transition to the change log. `row` holds the job after it. */
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
      reason: row.reason,
      attempt: row.attempt,
      bucket: row.input_bucket,
      key: row.input_key,
      versionSeq: row.input_version,
      rootEventId: row.root_event_id,
      parentJobId: row.parent_job_id,
      hops: row.hops,
      retryOf: row.retry_of,
    },
  });
}
