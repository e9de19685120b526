import { LOG_MAGIC, MAX_RECORD_BYTES, RECORD_HEADER_BYTES, recordHeader } from "./log-record.ts";

/** A record that grows: chunks of the same millisecond become one, so that a script that writes byte by byte makes no flood of headers. */
interface Growing {
  readonly at: number;
  readonly offset: number;
  readonly parts: Uint8Array[];
  length: number;
}

/** Output that waits to be written as records. */
export class PendingOutput {
  readonly #maxRecordBytes: number;
  #records: Growing[] = [];
  #bytes = 0;

  constructor(maxRecordBytes: number = MAX_RECORD_BYTES) {
    this.#maxRecordBytes = Math.min(MAX_RECORD_BYTES, maxRecordBytes);
  }

  /** What the records will take in a file. */
  get encodedBytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  add(at: number, offset: number, chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; start += this.#maxRecordBytes) {
      this.#addPiece(at, offset + start, chunk.subarray(start, start + this.#maxRecordBytes));
    }
  }

  /** Hands out the records in runs of at most `runBytes` (one record at least), and is empty afterwards. */
  *take(runBytes: number): Generator<{ parts: Buffer[]; bytes: number }> {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    let run = { parts: [] as Buffer[], bytes: 0 };
    for (const record of records) {
      const bytes = RECORD_HEADER_BYTES + record.length;
      if (run.bytes > 0 && run.bytes + bytes > runBytes) {
        yield run;
        run = { parts: [], bytes: 0 };
      }
      run.parts.push(encode(record));
      run.bytes += bytes;
    }
    if (run.bytes > 0) yield run;
  }

  /** All of it in the form of a short log; empty for no output. */
  toShortLog(): Buffer {
    return this.isEmpty ? Buffer.alloc(0) : Buffer.concat([LOG_MAGIC, ...this.#records.map(encode)]);
  }

  #addPiece(at: number, offset: number, piece: Uint8Array): void {
    const last = this.#records.at(-1);
    if (
      last &&
      last.at === at &&
      last.offset + last.length === offset &&
      last.length + piece.length <= this.#maxRecordBytes
    ) {
      last.parts.push(piece);
      last.length += piece.length;
      this.#bytes += piece.length;
      return;
    }
    this.#records.push({ at, offset, parts: [piece], length: piece.length });
    this.#bytes += RECORD_HEADER_BYTES + piece.length;
  }
}

function encode(record: Growing): Buffer {
  return Buffer.concat([recordHeader(record.at, record.offset, record.length), ...record.parts]);
}
