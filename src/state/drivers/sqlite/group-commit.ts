import { rmSync } from "node:fs";
import { SluiceError } from "../../../core/errors.ts";
import { crashPoint } from "../../../lib/crash-point.ts";
import type { CommitNotice, StateStats } from "../../state.ts";
import { moreToDo } from "./background.ts";
import type { Answer, Call, CallName, CrossedError } from "./calls.ts";
import { handle, isGrowing } from "./handlers.ts";
import { KeptFailure } from "./kept-failure.ts";
import { isDiskFull, isIoError } from "./sqlite-error.ts";
import type { Store } from "./store.ts";

const CHANGE_SERVICES: readonly CallName[] = ["applyServices", "removeService"];

/** Most calls of one group: bounds how long the first of them waits, and what a failed commit repeats. */
const MAX_GROUP = 256;
/** Asking for the length of the WAL costs as much as two calls. */
const COMMITS_PER_LOOK = 8;
/** Groups that run carefully from the start after one in which a call failed: failures come in runs. */
const CAREFUL_GROUPS = 16;

export interface GroupResult {
  readonly answers: readonly Answer[];
  /** Null when nothing was committed. */
  readonly notice: CommitNotice | null;
}

/** Commits many calls with one fsync:
 *  ```
 *  BEGIN IMMEDIATE
 *    calls                               while all goes well there is nothing between them
 *    counters and sequences, written once
 *  COMMIT                                the one fsync; only now is anybody answered
 *  ```
 *  When a call fails, all is rolled back and the group runs again carefully: each call under a savepoint of its own, so that the one which
 *  fails is taken back alone and the others are done as if it had never been. (Savepoints keep copies of the pages that change, which costs
 *  a fifth of an enqueue.) When SQLite ends the transaction itself, or the commit fails, nobody's call was done:
 *  disk full → calls that store users' data answer DISK_FULL, the others run once more with the reserve file released;
 *  an I/O error → the process ends, because what reached the disk is unknown;  anything else → INTERNAL for each. */
export class GroupCommit {
  readonly #store: Store;
  readonly #reserveFile: string | null;
  #commits = 0;
  #memberCount = 0;
  #largestGroup = 0;
  #syncs = 0;
  #carefulGroups = 0;
  /** The number of commits when the WAL's length was looked at. */
  #lookedAt = 0;

  constructor(store: Store, reserveFile: string | null) {
    this.#store = store;
    this.#reserveFile = reserveFile;
  }

  /** `take` hands over calls that wait, at most `room` of them; it is asked again until it has none, so that calls which come while
   *  others run share their commit. @throws the I/O error after which the process must end */
  run(take: (room: number) => readonly Call[]): GroupResult {
    const calls: Call[] = [];
    try {
      return this.#commit(callsOf(take, calls));
    } catch (error) {
      this.#abandon();
      if (isDiskFull(error)) return this.#runWithReserve(calls);
      if (!(error instanceof CallFailed)) return refuseAll(calls, error);
      return this.#runCarefully(calls);
    }
  }

  /** Moves committed pages from the WAL into the database file once there are enough, which is looked at now and then.
   *  @throws on I/O errors, like `run` */
  checkpoint(minimumFrames: number): void {
    if (minimumFrames > 0 && this.#commits - this.#lookedAt < COMMITS_PER_LOOK) return;
    this.#lookedAt = this.#commits;
    const log = this.#store.db.get<{ log: number }>("PRAGMA wal_checkpoint(NOOP)")?.log ?? 0;
    if (log < minimumFrames) return;
    try {
      this.#store.db.get("PRAGMA wal_checkpoint(PASSIVE)");
      this.#syncs += 2;
    } catch (error) {
      // A full disk only puts it off: everything is safe in the WAL.
      if (!isDiskFull(error)) throw error;
    }
  }

  stats(): StateStats {
    return {
      commits: this.#commits,
      members: this.#memberCount,
      fsyncs: this.#commits + this.#syncs,
      largestGroup: this.#largestGroup,
    };
  }

  /** @throws CallFailed when the group must run again, carefully */
  #commit(calls: Iterable<Call>): GroupResult {
    const { db, tally } = this.#store;
    const names = new Set<CallName>();
    const answers: Answer[] = [];
    for (const call of calls) {
      if (answers.length === 0) db.run("BEGIN IMMEDIATE");
      names.add(call[1]);
      answers.push(this.#carefulGroups > 0 ? this.#careful(call) : this.#hopeful(call));
    }
    if (answers.length === 0) return { answers, notice: null };
    tally.flush();
    const more = moreToDo(this.#store);
    if (names.has("finishAttempt")) crashPoint("finish.before-commit");
    db.run("COMMIT");
    crashAfter(names);
    this.#count(answers.length);
    return { answers, notice: { ...tally.takeNotice(), moreToDo: more } };
  }

  #count(members: number): void {
    this.#commits += 1;
    this.#carefulGroups = Math.max(0, this.#carefulGroups - 1);
    this.#memberCount += members;
    this.#largestGroup = Math.max(this.#largestGroup, members);
  }

  #hopeful(call: Call): Answer {
    try {
      return this.#member(call);
    } catch (error) {
      if (this.#isOver(error)) throw error;
      throw new CallFailed();
    }
  }

  #careful(call: Call): Answer {
    const { db, tally, services } = this.#store;
    const mark = tally.mark();
    db.run("SAVEPOINT member");
    try {
      const answer = this.#member(call);
      db.run("RELEASE member");
      return answer;
    } catch (error) {
      if (this.#isOver(error)) throw error;
      db.rollback("member");
      db.run("RELEASE member");
      tally.rollback(mark);
      if (CHANGE_SERVICES.includes(call[1])) services.forget();
      return failure(call, error);
    }
  }

  /** A call whose failure must be kept has written what it wanted: it is answered like one that went well. */
  #member(call: Call): Answer {
    try {
      return [call[0], true, handle(this.#store, call[1], call[2])];
    } catch (error) {
      if (error instanceof KeptFailure) return failure(call, error.error);
      throw error;
    }
  }

  /** True for errors that are not the call's own: the transaction cannot go on. */
  #isOver(error: unknown): boolean {
    return !this.#store.db.inTransaction || isDiskFull(error) || isIoError(error);
  }

  #runCarefully(calls: readonly Call[]): GroupResult {
    this.#carefulGroups = CAREFUL_GROUPS;
    try {
      return this.#commit(calls);
    } catch (error) {
      this.#abandon();
      return isDiskFull(error) ? this.#runWithReserve(calls) : refuseAll(calls, error);
    }
  }

  #runWithReserve(calls: readonly Call[]): GroupResult {
    const refused = calls.filter((call) => isGrowing(call[1])).map(diskFull);
    const others = calls.filter((call) => !isGrowing(call[1]));
    if (others.length === 0) return { answers: refused, notice: null };
    if (this.#reserveFile !== null) rmSync(this.#reserveFile, { force: true });
    this.#carefulGroups = CAREFUL_GROUPS;
    try {
      const { answers, notice } = this.#commit(others);
      return { answers: [...refused, ...answers], notice };
    } catch (error) {
      this.#abandon();
      if (!isDiskFull(error)) return refuseAll(calls, error);
      return { answers: [...refused, ...others.map(diskFull)], notice: null };
    }
  }

  /** Forgets a transaction that did not commit. */
  #abandon(): void {
    const { db, tally, services } = this.#store;
    db.rollback();
    tally.reload();
    services.forget();
  }
}

/** A call failed in a group that had no savepoints. */
class CallFailed extends Error {}

/** Calls one by one as they come; notes in `seen` every call it was given. */
function* callsOf(take: (room: number) => readonly Call[], seen: Call[]): Generator<Call> {
  for (;;) {
    const calls = take(MAX_GROUP - seen.length);
    if (calls.length === 0) return;
    seen.push(...calls);
    yield* calls;
  }
}

/** @throws the error itself when it is an I/O error */
function refuseAll(calls: readonly Call[], error: unknown): GroupResult {
  if (isIoError(error)) throw error;
  return { answers: calls.map((call) => failure(call, error)), notice: null };
}

function crashAfter(names: ReadonlySet<CallName>): void {
  if (names.has("finishAttempt")) crashPoint("finish.committed");
  if (names.has("leaseJobs")) crashPoint("lease.committed");
  if (names.has("commitUpload")) crashPoint("put.committed");
}

const diskFull = (call: Call): Answer =>
  failure(
    call,
    new SluiceError("DISK_FULL", "Cannot store the change: the data directory's file system is full (free some space)"),
  );

export const failure = (call: Call, error: unknown): Answer => [call[0], false, crossError(error, call[1])];

/** An error as data. What is no SluiceError is a defect: it becomes INTERNAL, and its stack goes along for the log. */
export function crossError(error: unknown, doing: string): CrossedError {
  if (error instanceof SluiceError) return { code: error.code, message: error.message, details: error.details };
  const text = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { code: "INTERNAL", message: `Cannot do ${doing}: ${text}`, stack };
}
