import { s3Error } from "../s3/errors.ts";

/** A part of an object: `[start, endExclusive)`. */
export interface ByteRange {
  readonly start: number;
  readonly endExclusive: number;
}

/** The range that a Range header asks for, or null for the whole object: without a header, with one that is not understood, and with several
 *  ranges, all of which RFC 9110 lets a server ignore (S3 has no multipart answers).
 *  @throws SluiceError S3 InvalidRange when no byte of it exists */
export function readRange(text: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(text?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (first === "" && last === "") return null;
  if (first === "") return suffix(Number(last), sizeBytes);
  const start = Number(first);
  const end = last === "" ? sizeBytes - 1 : Number(last);
  if (last !== "" && end < start) return null;
  if (start >= sizeBytes) throw outside(sizeBytes);
  return { start, endExclusive: Math.min(end + 1, sizeBytes) };
}

function suffix(count: number, sizeBytes: number): ByteRange {
  if (count === 0 || sizeBytes === 0) throw outside(sizeBytes);
  return { start: Math.max(0, sizeBytes - count), endExclusive: sizeBytes };
}

function outside(sizeBytes: number): Error {
  return s3Error("InvalidRange", `Cannot read the range: the object has ${sizeBytes} bytes`, {
    ActualObjectSize: String(sizeBytes),
  });
}
