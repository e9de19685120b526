import type { Change, ChangeKind } from "../../core/change.ts";
import type { State } from "../../state/state.ts";
import { rfc3339 } from "../answers.ts";
import type { Change as ChangeView, Gap } from "../schemas/changes.ts";
import type { Wakeups } from "./wakeups.ts";

const PAGE = 256;
/** Proxies drop silent connections after 30 s and more. */
const HEARTBEAT_MS = 15_000;
/** A storm of commits becomes at most this many looks a second for each reader. */
const LOOKS_PER_SECOND = 20;

export interface ChangeQuery {
  /** Changes after this one; null for those to come. */
  readonly after: number | null;
  readonly owner: string | null;
  /** Null for all. */
  readonly kinds: readonly ChangeKind[] | null;
  readonly signal: AbortSignal;
  /** Default 15 s. */
  readonly heartbeatMs?: number;
}

/** The change log as server-sent events, `id` being the change's number. Nothing is buffered for a slow reader: the next page is read from the
 *  log when he took the last one. When the log no longer holds what comes next, an event `gap` says so and the stream goes on with what is kept.
 *  @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export async function* changeStream(
  state: Pick<State, "changes" | "changeBounds">,
  wakeups: Wakeups,
  query: ChangeQuery,
): AsyncGenerator<string> {
  let known = (await state.changeBounds()).last;
  let cursor = query.after ?? known;
  yield `retry: 1000\n${mark(cursor)}`;
  while (!query.signal.aborted) {
    const version = wakeups.version;
    known = Math.max(known, wakeups.lastSeq);
    const page = await state.changes(cursor, PAGE, query.owner);
    // Read after the page: what was kept now was kept when the page was read.
    const bounds = await state.changeBounds();
    const resumeAt = resumePoint(cursor, bounds);
    if (resumeAt !== cursor) yield gapFrame(cursor, resumeAt);
    cursor = resumeAt;
    for (const change of page) {
      if (change.seq <= cursor) continue;
      cursor = change.seq;
      if (query.kinds === null || query.kinds.includes(change.kind)) yield frame(change);
    }
    if (page.length === PAGE) continue;
    // A page that is not full ended at the newest change known before it was read, whoever owns that one.
    cursor = Math.max(cursor, known);
    known = bounds.last;
    const woken = await wakeups.after(version, query.heartbeatMs ?? HEARTBEAT_MS, query.signal);
    if (woken) await pause(1000 / LOOKS_PER_SECOND);
    else if (!query.signal.aborted) yield mark(cursor);
  }
}

/** Where a reader at `cursor` can go on: there, or at the oldest change kept, or (a restored database is younger than its readers) at the newest. */
function resumePoint(cursor: number, { first, last }: { first: number; last: number }): number {
  if (last === 0) return cursor;
  if (cursor > last) return last;
  return Math.max(cursor, first - 1);
}

function frame(change: Change): string {
  const view: ChangeView = {
    seq: change.seq,
    at: rfc3339(change.at),
    kind: change.kind,
    key: change.key,
    owner: change.owner,
    sequencer: change.sequencer,
    data: { ...change.data },
  };
  return `id: ${change.seq}\nevent: ${change.kind}\ndata: ${JSON.stringify(view)}\n\n`;
}

function gapFrame(cursor: number, resumeAt: number): string {
  const missing: Gap = { first_missing: Math.min(cursor, resumeAt) + 1, last_missing: Math.max(cursor, resumeAt) };
  return `id: ${resumeAt}\nevent: gap\ndata: ${JSON.stringify(missing)}\n\n`;
}

/** A heartbeat that moves a browser's Last-Event-ID on without an event. */
const mark = (cursor: number): string => `: \nid: ${cursor}\n\n`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
