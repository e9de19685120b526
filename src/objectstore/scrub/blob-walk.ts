import type { Clock } from "../../lib/clock.ts";
import type { State } from "../../state/state.ts";
import type { DamagedBlob, KeptBlob } from "../../state/store-check-calls.ts";
import type { BlobFolder } from "../blob-folder.ts";
import { type Verdict, verifyBlob } from "./verify-blob.ts";

/** Blobs of one page: those that lie in their rows come with their bytes. */
const PAGE = 32;

export interface WalkDeps {
  readonly state: Pick<State, "blobPage" | "noteDamage" | "damagedCount">;
  readonly folder: BlobFolder;
  readonly clock: Clock;
}

/** Bytes that were read; a blob that is damaged; or that all blobs up to a row were looked at. */
export type WalkStep =
  | number
  | { readonly kind: "damaged"; readonly kept: KeptBlob; readonly verdict: Verdict }
  | { readonly kind: "page"; readonly upTo: number; readonly blobs: number };

/** Verifies every blob behind the row `after`, and keeps the state's list of damaged ones right. Blobs that come meanwhile are walked too. */
export async function* walkBlobs(deps: WalkDeps, after: number): AsyncGenerator<WalkStep> {
  const { state, clock } = deps;
  let known = (await state.damagedCount()) > 0;
  for (let from = after; ; ) {
    const page = await state.blobPage(from, PAGE);
    const upTo = page.at(-1)?.row;
    if (upTo === undefined) return;
    const found: Omit<DamagedBlob, "blobId">[] = [];
    for (const kept of page) {
      const verdict = yield* verifyAsNamed(deps, kept);
      if (verdict === null) continue;
      found.push({ row: kept.row, damage: verdict.damage });
      yield { kind: "damaged", kept, verdict };
    }
    known ||= found.length > 0;
    if (known) await state.noteDamage(from, upTo, found, clock.now());
    yield { kind: "page", upTo, blobs: page.length };
    from = upTo;
  }
}

/** A row goes before its file does, and an upload's row changes when it is complete: what looks damaged is looked at again by the row that
 *  there is then. */
async function* verifyAsNamed(deps: WalkDeps, kept: KeptBlob): AsyncGenerator<number, Verdict | null> {
  const verdict = yield* verifyBlob(deps.folder, kept, deps.clock.now());
  if (verdict === null) return null;
  const [again] = await deps.state.blobPage(kept.row - 1, 1);
  if (again?.row !== kept.row) return null;
  if (again.sizeBytes === kept.sizeBytes) return verdict;
  return yield* verifyBlob(deps.folder, again, deps.clock.now());
}
