import { describe, expect, it } from "vitest";
import { decodeRecords, decodeShortLog, LOG_MAGIC, MAX_RECORD_BYTES, recordHeader } from "./log-record.ts";

const AT = Date.UTC(2026, 0, 2);
const record = (offset: number, text: string): Buffer =>
  Buffer.concat([recordHeader(AT, offset, Buffer.byteLength(text)), Buffer.from(text)]);

describe("log records", () => {
  it("come back with time, place and bytes", () => {
    const { records, usedBytes, torn } = decodeRecords(Buffer.concat([record(0, "one"), record(2 ** 40, "two")]));
    expect(records.map(({ at, offset, bytes }) => [at, offset, Buffer.from(bytes).toString()])).toEqual([
      [AT, 0, "one"],
      [AT, 2 ** 40, "two"],
    ]);
    expect(usedBytes).toBe(38);
    expect(torn).toBe(false);
  });

  it.each([1, 15, 16, 18])("leave a record cut after %i bytes for later", (kept) => {
    const cut = Buffer.concat([record(0, "one"), record(3, "two").subarray(0, kept)]);
    expect(decodeRecords(cut)).toMatchObject({ usedBytes: 19, torn: false, records: [{ offset: 0 }] });
  });

  it.each([0, MAX_RECORD_BYTES + 1])("end where a length of %i says that no record follows", (length) => {
    const bytes = Buffer.concat([record(0, "one"), recordHeader(AT, 3, length), Buffer.alloc(32)]);
    expect(decodeRecords(bytes)).toMatchObject({ usedBytes: 19, torn: true });
  });
});

describe("decodeShortLog", () => {
  it("reads what follows the mark, wherever the bytes lie in their buffer", () => {
    const padded = Buffer.concat([Buffer.from("xx"), LOG_MAGIC, record(0, "one")]);
    expect(decodeShortLog(new Uint8Array(padded).subarray(2))).toHaveLength(1);
  });

  it("takes anything else for an empty log", () => {
    expect(decodeShortLog(Buffer.alloc(0))).toEqual([]);
    expect(decodeShortLog(Buffer.from("SLOG\x02\0\0\0something"))).toEqual([]);
  });
});
