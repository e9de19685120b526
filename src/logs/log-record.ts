/** ```
 *  log file, and short log in a row = "SLOG" 0x01 0x00 0x00 0x00, then records
 *  record = arrival in UTC ms (u48) | bytes of output before this record (u48) | length (u32) | that many bytes      (big-endian)
 *  ```
 *  The count in each record makes every kind of loss visible: a cut middle, a full disk, a record torn by a crash. */
export interface LogRecord {
  readonly at: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export const LOG_MAGIC = Buffer.from("SLOG\x01\0\0\0", "latin1");
export const RECORD_HEADER_BYTES = 16;
/** Longer pieces of output are cut into records of this size, so that a reader needs no more memory than this for one. */
export const MAX_RECORD_BYTES = 64 * 1024;

export function recordHeader(at: number, offset: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  header.writeUIntBE(at, 0, 6);
  header.writeUIntBE(offset, 6, 6);
  header.writeUInt32BE(length, 12);
  return header;
}

/** The whole records at the start of `bytes`, and how many bytes they take. `torn` says that what follows can be no record. */
export function decodeRecords(bytes: Buffer): { records: LogRecord[]; usedBytes: number; torn: boolean } {
  const records: LogRecord[] = [];
  let at = 0;
  while (bytes.length - at >= RECORD_HEADER_BYTES) {
    const length = bytes.readUInt32BE(at + 12);
    if (length > MAX_RECORD_BYTES || length === 0) return { records, usedBytes: at, torn: true };
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > bytes.length) break;
    records.push({
      at: bytes.readUIntBE(at, 6),
      offset: bytes.readUIntBE(at + 6, 6),
      bytes: bytes.subarray(at + RECORD_HEADER_BYTES, end),
    });
    at = end;
  }
  return { records, usedBytes: at, torn: false };
}

/** The records of a short log as `finish` returned it; an empty one has none. */
export function decodeShortLog(bytes: Uint8Array): LogRecord[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, LOG_MAGIC.length).equals(LOG_MAGIC)) return [];
  return decodeRecords(buffer.subarray(LOG_MAGIC.length)).records;
}
