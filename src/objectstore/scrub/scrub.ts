import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { State } from "../../state/state.ts";
import type { ScrubProgress } from "../../state/store-check-calls.ts";
import type { BlobFolder } from "../blob-folder.ts";
import { walkBlobs } from "./blob-walk.ts";
import { findOrphans } from "./orphans.ts";
import { Pace } from "./pace.ts";

/** A start has other things to read. */
const FIRST_AFTER_MS = 10 * 60_000;
/** How often one looks whether the next round is due, and tries again after a failure. */
const LOOK_MS = 60 * 60_000;
/** What a restart reads again at most. */
const SAVE_MS = 60_000;
const LEAST_BYTES_PER_SECOND = 1024 * 1024;
/** A round aims to be over before the next one is due. */
const SHARE_OF_PERIOD = 0.9;
/** A round that is late, after a long stop, still leaves the disk to others: as if it had an hour left. */
const LEAST_LEFT_MS = 60 * 60_000;
/** Damaged things that one round puts into the log. */
const LOGGED = 100;

export interface ScrubOptions {
  readonly state: Pick<
    State,
    | "blobPage"
    | "auditStore"
    | "noteDamage"
    | "damagedBlobs"
    | "damagedCount"
    | "unknownBlobs"
    | "scrubProgress"
    | "saveScrub"
  >;
  readonly folder: BlobFolder;
  /** From the start of one round to the start of the next. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 10 minutes. */
  readonly firstAfterMs?: number;
}

/** Reads every blob once a period, slowly, and says what is damaged; mends nothing. Goes on where it was after a restart. */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ScrubOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#forever();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #forever(): Promise<void> {
    await this.#pause(this.#options.firstAfterMs ?? FIRST_AFTER_MS);
    while (!this.#stop.signal.aborted) {
      try {
        await this.runDue();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#options.log.warn("cannot check the store: will try again", { error });
      }
      await this.#pause(LOOK_MS);
    }
  }

  /** Goes on with the round that is under way, or begins one that is due, until its end. */
  async runDue(): Promise<void> {
    const { state, clock, periodMs } = this.#options;
    const last = await state.scrubProgress();
    const now = clock.now();
    if (last === null || last.endedAt === null) return this.#round(last ?? { after: 0, startedAt: now, endedAt: null });
    // A clock that was set back must not put a round off for years.
    if (now >= last.startedAt && now < last.startedAt + periodMs) return;
    await this.#round({ after: 0, startedAt: now, endedAt: null });
  }

  async #round(progress: ScrubProgress): Promise<void> {
    const { state, clock, log } = this.#options;
    const { bytes, references, lost } = await state.auditStore([], LOGGED);
    for (const { blobId, kept, counted } of references) {
      log.error("a blob's references are counted wrong", { blob: blobId, kept, counted });
    }
    for (const { row: _, ...holder } of lost) log.error("something in the store has lost its bytes", { ...holder });
    await this.#walk(progress, bytes);
    const orphans = await this.#countOrphans();
    const damaged = await this.#logDamage();
    const endedAt = clock.now();
    await state.saveScrub({ after: 0, startedAt: progress.startedAt, endedAt });
    const summary = { damaged, orphans, references: references.length, lost: lost.length };
    const sound = damaged + orphans + references.length + lost.length === 0;
    if (sound) log.info("checked the store: all is well", { bytes });
    else log.error('checked the store: something is wrong (see: "sluice store check")', summary);
  }

  async #walk(progress: ScrubProgress, bytes: number): Promise<void> {
    const { state, folder, clock, log } = this.#options;
    const { signal } = this.#stop;
    const pace = new Pace(clock, () => this.#bytesPerSecond(progress.startedAt, bytes));
    let saveAt = clock.monotonicMs() + SAVE_MS;
    await state.saveScrub(progress);
    for await (const step of walkBlobs({ state, folder, clock }, progress.after)) {
      if (typeof step === "number") await pace.take(step, signal);
      else if (step.kind === "damaged") {
        log.error("a blob is damaged", { blob: step.kept.blobId, ...step.verdict });
      } else if (clock.monotonicMs() >= saveAt) {
        saveAt = clock.monotonicMs() + SAVE_MS;
        await state.saveScrub({ ...progress, after: step.upTo });
      }
      signal.throwIfAborted();
    }
  }

  #bytesPerSecond(startedAt: number, bytes: number): number {
    const { clock, periodMs } = this.#options;
    const left = Math.max(LEAST_LEFT_MS, startedAt + periodMs * SHARE_OF_PERIOD - clock.now());
    return Math.max(LEAST_BYTES_PER_SECOND, (bytes / left) * 1000);
  }

  async #countOrphans(): Promise<number> {
    const { state, folder } = this.#options;
    let count = 0;
    for await (const step of findOrphans({ state, folder }, false)) {
      this.#stop.signal.throwIfAborted();
      if (step !== 0) count += 1;
    }
    return count;
  }

  /** Says which things the damaged blobs are; returns how many blobs those are. */
  async #logDamage(): Promise<number> {
    const { state, log } = this.#options;
    const count = await state.damagedCount();
    if (count === 0) return 0;
    const damages = new Map((await state.damagedBlobs(LOGGED)).map((each) => [each.row, each]));
    const { holders } = await state.auditStore([...damages.keys()], LOGGED);
    for (const { row, ...holder } of holders) {
      log.error("something in the store is damaged", { ...holder, damage: damages.get(row)?.damage });
    }
    return count;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}
