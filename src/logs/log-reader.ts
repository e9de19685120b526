import { type FileHandle, open } from "node:fs/promises";
import {
  decodeRecords,
  decodeShortLog,
  LOG_MAGIC,
  type LogRecord,
  MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
} from "./log-record.ts";
import { type LogSegments, segmentFile, TAIL_FILES } from "./log-segments.ts";
import type { LiveLog } from "./log-writer.ts";
import type { LogChunk } from "./logs.ts";

/** Room for the longest record, so that a read that yields no record has met the end. */
const READ_BYTES = RECORD_HEADER_BYTES + MAX_RECORD_BYTES;

/** The log of an attempt that runs in this process. Returns at the end of what there was when it was called, or with `follow` at the end of
 *  the log. A reader asks the writer to flush and then reads the same files as everybody, so it holds at most one buffer. */
export async function* readLive(live: LiveLog, follow: boolean, signal?: AbortSignal): AsyncGenerator<LogChunk> {
  const cursor = new LiveCursor(live);
  const until = live.outputBytes;
  try {
    while (!signal?.aborted) {
      const seen = live.outputBytes;
      const ended = live.ended;
      await live.flush();
      yield* cursor.available();
      if (!follow && cursor.offset >= until) return;
      if (!cursor.caughtUp) continue;
      if (ended) return;
      if (live.outputBytes > seen || live.ended) continue;
      if (!follow) return;
      await nextChange(live, signal);
    }
  } finally {
    await cursor.close();
  }
}

/** The log of an attempt that ended: its files in order. A record that a crash tore is where its file ends. */
export async function* readEnded(head: string): AsyncGenerator<LogChunk> {
  const continuity = new Continuity();
  for (const file of [head, ...(await tailInOrder(head))]) {
    const handle = await openIfThere(file);
    if (handle === null) continue;
    try {
      for await (const record of records(handle, { position: LOG_MAGIC.length }, Number.POSITIVE_INFINITY)) {
        yield* continuity.pass(record);
      }
    } finally {
      await handle.close();
    }
  }
}

export function* readShort(bytes: Uint8Array): Generator<LogChunk> {
  const continuity = new Continuity();
  for (const record of decodeShortLog(bytes)) yield* continuity.pass(record);
}

/** Where one reader of a live log is. It goes from segment to segment; those that were replaced before it came are skipped. */
class LiveCursor {
  readonly #live: LiveLog;
  readonly #continuity = new Continuity();
  #segment = 0;
  #caughtUp = true;
  #handle: FileHandle | null = null;
  readonly #at = { position: LOG_MAGIC.length };

  constructor(live: LiveLog) {
    this.#live = live;
  }

  get offset(): number {
    return this.#continuity.expected;
  }

  /** The last `available` ended at the end of the newest segment. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** What can be read of the current segment now; moves on to the next one when it is complete. */
  async *available(): AsyncGenerator<LogChunk> {
    const { shortLog, segments } = this.#live;
    if (shortLog !== null) {
      this.#caughtUp = true;
      for (const record of decodeShortLog(shortLog)) yield* this.#continuity.pass(record);
      return;
    }
    if (segments.newest < 0) return;
    this.#handle ??= await openSegment(segments, this.#segment);
    this.#caughtUp = this.#segment >= segments.newest;
    const limit = this.#caughtUp ? segments.committedBytes : Number.POSITIVE_INFINITY;
    if (this.#handle !== null) {
      for await (const record of records(this.#handle, this.#at, limit)) yield* this.#continuity.pass(record);
    }
    if (!this.#caughtUp) await this.#moveOn();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async #moveOn(): Promise<void> {
    await this.close();
    this.#segment = Math.max(this.#segment + 1, this.#live.segments.oldestTail);
    this.#at.position = LOG_MAGIC.length;
  }
}

/** Turns records into chunks: says what is missing between them, and leaves out what was passed before. */
class Continuity {
  expected = 0;

  *pass(record: LogRecord): Generator<LogChunk> {
    const end = record.offset + record.bytes.length;
    if (end <= this.expected) return;
    const missing = record.offset - this.expected;
    if (missing > 0) yield { at: record.at, bytes: Buffer.from(gapLine(missing)) };
    const bytes = missing < 0 ? record.bytes.subarray(-missing) : record.bytes;
    this.expected = end;
    yield { at: record.at, bytes };
  }
}

function gapLine(bytes: number): string {
  return `\nsluice: ${bytes} bytes of output are missing here: of a long log only the head and the tail are kept\n`;
}

async function* records(handle: FileHandle, at: { position: number }, limit: number): AsyncGenerator<LogRecord> {
  for (;;) {
    const want = Math.min(READ_BYTES, limit - at.position);
    if (want <= 0) return;
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(want), 0, want, at.position);
    const found = decodeRecords(buffer.subarray(0, bytesRead));
    at.position += found.usedBytes;
    yield* found.records;
    if (found.torn || found.usedBytes === 0) return;
  }
}

/** Null when the file is not there, or its name already belongs to a newer segment. */
async function openSegment(segments: LogSegments, segment: number): Promise<FileHandle | null> {
  const handle = await openIfThere(segmentFile(segments.head, segment));
  if (handle === null || segment === 0 || segment >= segments.oldestTail) return handle;
  await handle.close();
  return null;
}

/** The files of the tail that are there, oldest first. */
async function tailInOrder(head: string): Promise<string[]> {
  const found: Array<{ file: string; offset: number }> = [];
  for (let segment = 1; segment <= TAIL_FILES; segment += 1) {
    const file = segmentFile(head, segment);
    const offset = await firstOffset(file);
    if (offset !== null) found.push({ file, offset });
  }
  return found.toSorted((a, b) => a.offset - b.offset).map(({ file }) => file);
}

async function firstOffset(file: string): Promise<number | null> {
  const handle = await openIfThere(file);
  if (handle === null) return null;
  try {
    for await (const record of records(handle, { position: LOG_MAGIC.length }, Number.POSITIVE_INFINITY)) {
      return record.offset;
    }
    return null;
  } finally {
    await handle.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Resolves at the next output, at the end, or when `signal` aborts. */
function nextChange(live: LiveLog, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      stop();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const stop = live.onChange(done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
