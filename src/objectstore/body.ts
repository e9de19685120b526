import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SluiceError } from "../core/errors.ts";
import { BodySha256 } from "../s3/body-sha256.ts";
import { header } from "../s3/canonical-request.ts";
import { checksumAlgorithm, createChecksum, type Hasher, readChecksum, readContentMd5 } from "../s3/checksums.ts";
import { ChunkDecoder } from "../s3/chunk-decoder.ts";
import { s3Error } from "../s3/errors.ts";
import { continueBody } from "./answer.ts";
import { lendMemory } from "./body-memory.ts";
import type { Call } from "./call.ts";
import { contentLength, type S3Request } from "./request.ts";

/** S3's largest object. */
export const MAX_OBJECT_BYTES = 5 * 1024 ** 4;

/** One promise about the body that is checked when all of it has come. */
interface Check {
  readonly algorithm: string;
  readonly hasher: Hasher;
  /** Null when the trailer brings it; "compute" when nobody sends it and it is wanted all the same. */
  readonly expected: Buffer | "compute" | null;
}

/** A request's body: decoded, counted and checked while it streams. */
export interface VerifiedBody {
  /** Pieces on loan: who is done with one may say so with `returnMemory`. Throws at its end when anything does not match: what was taken before
   *  is then void. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Size of the object, or null when the client did not say. */
  readonly expectedBytes: number | null;
  /** Content-MD5 in hex, or null; it is compared with the MD5 that the blob gets anyway. */
  readonly md5: string | null;
  /** The checksums that were verified, by algorithm, once the pieces have ended. */
  checksums(): Readonly<Record<string, string>>;
}

/** Prepares to read the body of a call; nothing is read, and a client that waits for 100 Continue waits on, before the first piece is asked for.
 *  @param compute a checksum that is computed also when the client sends none
 *  @param source the bytes; default the request's body
 *  @throws SluiceError S3 InvalidDigest, InvalidRequest, EntityTooLarge, NotImplemented */
export function openBody(
  call: Call,
  compute: string | null = null,
  source: AsyncIterable<Uint8Array> = arrivingBody(call.request.message, call.response),
): VerifiedBody {
  const { request, caller } = call;
  const expectedBytes = announcedBytes(call);
  const checks = bodyChecks(call, expectedBytes);
  if (compute !== null && !checks.some(({ algorithm }) => algorithm === compute)) {
    checks.push({ algorithm: compute, hasher: createChecksum(compute), expected: "compute" });
  }
  if (expectedBytes !== null && expectedBytes > MAX_OBJECT_BYTES) {
    throw s3Error("EntityTooLarge", `Cannot store the body: at most ${MAX_OBJECT_BYTES} bytes are allowed`);
  }
  const md5 = header(request.headers, "content-md5");
  const verified: Record<string, string> = {};
  const { payload } = caller;
  const decoder =
    payload.kind === "chunked"
      ? new ChunkDecoder({
          signing: payload.signed ? caller.signing : null,
          trailers: payload.trailers,
          decodedBytes: expectedBytes,
        })
      : null;
  return {
    expectedBytes,
    md5: md5 === undefined ? null : readContentMd5(md5).toString("hex"),
    checksums: () => verified,
    pieces: verifiedPieces(source, decoder, checks, verified),
  };
}

/** Reads a small body whole: XML. @throws SluiceError S3 EntityTooLarge */
export async function readSmallBody(call: Call, maxBytes: number): Promise<Buffer> {
  const body = openBody(call);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body.pieces) {
    size += piece.length;
    if (size > maxBytes) throw s3Error("EntityTooLarge", `Cannot read the body: it is longer than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  const whole = Buffer.concat(pieces);
  if (body.md5 !== null && body.md5 !== createHash("md5").update(whole).digest("hex")) throw badMd5();
  return whole;
}

export function badMd5(): SluiceError {
  return s3Error("BadDigest", "Cannot store the body: its MD5 is not the Content-MD5 sent");
}

async function* verifiedPieces(
  source: AsyncIterable<Uint8Array>,
  decoder: ChunkDecoder | null,
  checks: readonly Check[],
  verified: Record<string, string>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    const parts = decoder === null ? [piece] : decoder.push(piece);
    lendMemory(piece, parts.length);
    for (const part of parts) {
      for (const check of checks) check.hasher.update(part);
      yield part;
    }
  }
  verify(checks, decoder?.finish() ?? new Map(), verified);
}

/** The body as it arrives, from when the first piece is asked for. A connection that ends early is BODY_TRUNCATED; leaving the loop early
 *  keeps the connection, on which the error must still be answered. */
export async function* arrivingBody(message: IncomingMessage, response: ServerResponse): AsyncGenerator<Uint8Array> {
  continueBody(message, response);
  try {
    yield* message.iterator({ destroyOnReturn: false });
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw truncated(cause);
  }
  if (!message.complete) throw truncated(undefined);
}

function truncated(cause: unknown): SluiceError {
  return new SluiceError("BODY_TRUNCATED", "Cannot store the body: the connection ended before all of it had come", {
    cause,
  });
}

function verify(
  checks: readonly Check[],
  trailers: ReadonlyMap<string, string>,
  verified: Record<string, string>,
): void {
  for (const { algorithm, hasher, expected } of checks) {
    const actual = hasher.digest();
    const promised =
      expected === "compute"
        ? actual
        : (expected ?? readChecksum(algorithm, trailers.get(`x-amz-checksum-${algorithm}`) ?? ""));
    if (algorithm === CONTENT_SHA256) {
      if (!actual.equals(promised)) {
        throw s3Error(
          "XAmzContentSHA256Mismatch",
          "Cannot store the body: its SHA-256 is not the x-amz-content-sha256 sent",
        );
      }
      continue;
    }
    if (!actual.equals(promised)) {
      throw s3Error("BadDigest", `Cannot store the body: its ${algorithm} checksum is not the one sent`);
    }
    verified[algorithm] = actual.toString("base64");
  }
}

/** The check of a body whose hash is signed; no checksum header has this name. */
const CONTENT_SHA256 = "content-sha256";

function bodyChecks({ request, caller }: Call, expectedBytes: number | null): Check[] {
  const checks: Check[] = [];
  for (const [name, values] of request.headers) {
    const algorithm = checksumAlgorithm(name);
    if (algorithm === null) continue;
    checks.push({ algorithm, hasher: createChecksum(algorithm), expected: readChecksum(algorithm, values[0] ?? "") });
  }
  const { payload } = caller;
  if (payload.kind === "hashed") {
    const expected = Buffer.from(payload.sha256, "hex");
    checks.push({ algorithm: CONTENT_SHA256, hasher: new BodySha256(expectedBytes), expected });
  }
  if (payload.kind === "chunked") checks.push(...trailerChecks(payload.trailers));
  return checks;
}

function trailerChecks(trailers: readonly string[]): Check[] {
  return trailers.flatMap((name) => {
    const algorithm = checksumAlgorithm(name);
    return algorithm === null ? [] : [{ algorithm, hasher: createChecksum(algorithm), expected: null }];
  });
}

function announcedBytes({ request, caller }: Call): number | null {
  if (caller.payload.kind !== "chunked") return contentLength(request);
  return decodedLength(request);
}

function decodedLength(request: S3Request): number | null {
  const text = header(request.headers, "x-amz-decoded-content-length");
  if (text === undefined) return null;
  if (!/^\d{1,15}$/.test(text)) {
    throw s3Error("InvalidArgument", "Cannot use x-amz-decoded-content-length: it is not a number of bytes");
  }
  return Number(text);
}
