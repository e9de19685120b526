import type { Store } from "./store.ts";

/** The outputs of one attempt that has too many for one transaction:
 *  ```
 *  STAGING ──finish ok──▶ PUBLISHED ──fan-out, row by row──▶ gone (its rows are objects)
 *     └─ any other end ─▶ DISCARDED ──fan-out, row by row──▶ gone (its blobs are garbage)
 *  ```
 *  Readers see staged rows from PUBLISHED on. Version numbers are given at that moment, as one block, so that they order rightly against
 *  uploads that came while the attempt was staging. */
export const [STAGING, PUBLISHED, DISCARDED] = [0, 1, 2] as const;

const DISCARD = `UPDATE publications SET state = ${DISCARDED} WHERE job = ? AND attempt = ? AND state = ${STAGING}`;

/** The attempt publishes nothing any more: what it staged goes, in the background. */
export function discardPublication(store: Store, job: number, attempt: number): void {
  store.db.run(DISCARD, job, attempt);
}
