import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { LOG_MAGIC, RECORD_HEADER_BYTES } from "./log-record.ts";
import { LogSegments, TAIL_FILES } from "./log-segments.ts";
import type { LogWriter } from "./logs.ts";
import { PendingOutput } from "./pending-output.ts";

export interface LogLimits {
  /** Most bytes of one log on disk: the first half is the head, the other the tail. */
  readonly maxBytes: number;
  /** A log up to this size goes into the attempt's row. */
  readonly inlineBytes: number;
  /** Longest time that output waits in memory: what kill -9 can lose. */
  readonly flushMs: number;
}

/** Held in memory before the script has to wait for the disk. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Most bytes written at once; small limits have smaller runs, so that a segment is filled in several. */
const RUN_BYTES = 256 * 1024;

/** ```
 *  OPEN ──finish──▶ ENDED ──release──▶ gone (a short log's file is removed)
 *    └──────────────── discard ──────▶ gone (every file is removed)
 *  ```
 *  Output waits in `#pending` until `flushMs` or the high-water mark; one flush runs at a time. While the whole log is short it is kept in
 *  `#short` too, so that it can go into the row, whatever a flush has written to the file meanwhile. */
export class LiveLog implements LogWriter {
  readonly segments: LogSegments;
  readonly #limits: LogLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #gone: () => void;
  readonly #waiting = new Set<() => void>();
  readonly #runBytes: number;
  readonly #pending: PendingOutput;
  #short: PendingOutput | null = new PendingOutput();
  #shortLog: Buffer | null = null;
  #offset = 0;
  #timer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> | null = null;
  #finished: Promise<Uint8Array | null> | null = null;
  #ended = false;
  #saidLoss = false;

  constructor(head: string, limits: LogLimits, clock: Clock, log: Log, gone: () => void) {
    this.segments = new LogSegments(head, limits.maxBytes);
    this.#limits = limits;
    this.#runBytes = Math.min(RUN_BYTES, Math.floor(limits.maxBytes / 2 / TAIL_FILES) - LOG_MAGIC.length);
    this.#pending = new PendingOutput(this.#runBytes - RECORD_HEADER_BYTES);
    this.#clock = clock;
    this.#log = log;
    this.#gone = gone;
  }

  /** No output comes any more, and what is in files is all there. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Output so far, written out or not. */
  get outputBytes(): number {
    return this.#offset;
  }

  /** The whole log, once it has ended and is short. */
  get shortLog(): Buffer | null {
    return this.#shortLog;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#finished !== null || chunk.length === 0) return;
    const at = this.#clock.now();
    this.#pending.add(at, this.#offset, chunk);
    this.#keepShort(at, chunk);
    this.#offset += chunk.length;
    this.#wake();
    if (this.#pending.encodedBytes >= HIGH_WATER_BYTES) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), this.#limits.flushMs);
  }

  /** Writes out what is held, for a reader or because it is time. */
  async flush(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.isEmpty || this.#shortLog !== null) return;
    this.#flushing = this.#writeOut();
    await this.#flushing;
  }

  finish(): Promise<Uint8Array | null> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async release(): Promise<void> {
    await this.finish();
    if (this.#shortLog !== null) await this.segments.remove();
    this.#gone();
  }

  async discard(): Promise<void> {
    await this.finish();
    await this.segments.remove();
    this.#gone();
  }

  /** For a server that stops before the attempt's end was committed: no row has the log, so a short one is written to its file after all. */
  async persist(): Promise<void> {
    await this.finish();
    if (this.#shortLog === null || this.#pending.isEmpty) return;
    await this.#writeOut();
    await this.segments.close();
  }

  /** Calls back once, at the next output or at the end. Returns the way to stop waiting. */
  onChange(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  #keepShort(at: number, chunk: Uint8Array): void {
    this.#short?.add(at, this.#offset, chunk);
    if (this.#short !== null && this.#short.encodedBytes > this.#limits.inlineBytes) this.#short = null;
  }

  async #finish(): Promise<Uint8Array | null> {
    if (this.#short !== null) {
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#shortLog = this.#short.toShortLog();
      await this.#flushing;
    } else {
      await this.flush();
      await this.segments.sync().catch((error: unknown) => this.#sayLoss(error));
    }
    await this.segments.close();
    this.#ended = true;
    this.#wake();
    return this.#shortLog;
  }

  async #writeOut(): Promise<void> {
    try {
      for (const run of this.#pending.take(this.#runBytes)) await this.segments.append(run.parts, run.bytes);
    } catch (error) {
      this.#sayLoss(error);
    } finally {
      this.#flushing = null;
    }
  }

  /** The log itself shows what is missing by the counts of its records; the server's log gets the cause, once. */
  #sayLoss(error: unknown): void {
    if (!this.#saidLoss) this.#log.warn("output of a script was not written to its log", { error });
    this.#saidLoss = true;
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener();
  }
}
