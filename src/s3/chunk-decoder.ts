import { createHash, type Hash, hash } from "node:crypto";
import { SluiceError } from "../core/errors.ts";
import { s3Error } from "./errors.ts";
import { hmacHex, type SigningContext, sameHex } from "./signature.ts";

/** SHA-256 of nothing: the fourth line of every chunk's string to sign. */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** A size line is at most 16 digits and a signature; a little more is kept for extensions nobody uses. */
const MAX_LINE_BYTES = 512;
const MAX_TRAILER_BYTES = 16 * 1024;
/** 2^53 − 1 has 14 hex digits; 13 always fit a number exactly. */
const MAX_SIZE_DIGITS = 13;

const LF = 0x0a;
const CR = 0x0d;

export interface ChunkOptions {
  /** Set when every chunk is signed (STREAMING-AWS4-HMAC-SHA256-PAYLOAD, with or without -TRAILER); null for unsigned chunks. */
  readonly signing: SigningContext | null;
  /** Lower-case names that the `x-amz-trailer` header announced; each must come, and no other may. */
  readonly trailers: readonly string[];
  /** `x-amz-decoded-content-length`, or null when the client did not say. */
  readonly decodedBytes: number | null;
}

/** Takes an `aws-chunked` body apart, whatever pieces it arrives in. It keeps no data: chunks may be of any size.
 *
 *  ```
 *  SIZE ──line "n;chunk-signature=…"──▶ DATA(n) ──n bytes──▶ AFTER ──CR LF──▶ SIZE
 *    └─────line "0…"──▶ TRAILER ──end of input──▶ finish()
 *  ```
 *  A chunk's signature is checked when its last byte has come, so bytes are handed on before they are believed: the caller keeps nothing
 *  of a body whose `finish` did not return.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html */
export class ChunkDecoder {
  readonly #options: ChunkOptions;
  #state: "size" | "data" | "after" | "trailer" = "size";
  /** The start of a line whose end has not come yet. */
  #line = "";
  #left = 0;
  #decoded = 0;
  #trailer = "";
  #previousSignature: string;
  #chunkSignature = "";
  #chunkHash: Hash | null = null;

  constructor(options: ChunkOptions) {
    this.#options = options;
    this.#previousSignature = options.signing?.seedSignature ?? "";
  }

  /** The decoded parts of one piece, as views of it.
   *  @throws SluiceError S3 IncompleteBody, InvalidRequest, SignatureDoesNotMatch */
  push(piece: Uint8Array): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let at = 0;
    while (at < piece.length) {
      if (this.#state === "data") {
        const part = piece.subarray(at, at + this.#left);
        at += part.length;
        this.#take(part);
        parts.push(part);
      } else if (this.#state === "trailer") {
        this.#collectTrailer(piece.subarray(at));
        at = piece.length;
      } else {
        at = this.#collectLine(piece, at);
      }
    }
    return parts;
  }

  /** The trailers by name, once all input has come.
   *  @throws SluiceError BODY_TRUNCATED, S3 IncompleteBody, MalformedTrailerError, SignatureDoesNotMatch */
  finish(): ReadonlyMap<string, string> {
    if (this.#state !== "trailer") {
      throw new SluiceError("BODY_TRUNCATED", "Cannot store the body: it ended before its last chunk");
    }
    const { decodedBytes } = this.#options;
    if (decodedBytes !== null && decodedBytes !== this.#decoded) {
      throw s3Error(
        "IncompleteBody",
        `Cannot store the body: it has ${this.#decoded} bytes, ${decodedBytes} were announced`,
      );
    }
    const trailers = readTrailers(this.#trailer);
    this.#checkTrailerSignature(trailers);
    this.#checkTrailerNames(trailers);
    return trailers;
  }

  #collectLine(piece: Uint8Array, at: number): number {
    const end = piece.indexOf(LF, at);
    const stop = end < 0 ? piece.length : end;
    if (this.#line.length + stop - at > MAX_LINE_BYTES) throw badChunk("a chunk's size line is too long");
    this.#line += Buffer.from(piece.buffer, piece.byteOffset + at, stop - at).toString("latin1");
    if (end < 0) return piece.length;
    const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
    this.#line = "";
    if (this.#state === "size") this.#startChunk(line);
    else if (line === "") this.#state = "size";
    else throw badChunk("a chunk is longer than its size line says");
    return end + 1;
  }

  #startChunk(line: string): void {
    const semicolon = line.indexOf(";");
    const digits = semicolon < 0 ? line : line.slice(0, semicolon);
    if (!/^[0-9a-fA-F]+$/.test(digits)) throw badChunk("a chunk's size is not a hex number");
    if (digits.length > MAX_SIZE_DIGITS) throw badChunk("a chunk's size is too large");
    this.#left = Number.parseInt(digits, 16);
    if (this.#options.decodedBytes !== null && this.#decoded + this.#left > this.#options.decodedBytes) {
      throw s3Error("IncompleteBody", "Cannot store the body: its chunks hold more bytes than were announced");
    }
    if (this.#options.signing !== null) this.#startSigned(semicolon < 0 ? "" : line.slice(semicolon + 1));
    if (this.#left > 0) {
      this.#state = "data";
      return;
    }
    this.#checkChunkSignature();
    this.#state = "trailer";
  }

  #startSigned(extension: string): void {
    const signature = /^chunk-signature=([0-9a-f]{64})$/.exec(extension.trim())?.[1];
    if (signature === undefined) throw badChunk("a chunk has no signature");
    this.#chunkSignature = signature;
    this.#chunkHash = createHash("sha256");
  }

  #take(part: Uint8Array): void {
    this.#chunkHash?.update(part);
    this.#left -= part.length;
    this.#decoded += part.length;
    if (this.#left > 0) return;
    this.#checkChunkSignature();
    this.#state = "after";
  }

  #checkChunkSignature(): void {
    const { signing } = this.#options;
    if (signing === null || this.#chunkHash === null) return;
    const { timestamp, scope } = signing;
    const digest = this.#chunkHash.digest("hex");
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${this.#previousSignature}\n${EMPTY_SHA256}\n${digest}`;
    const expected = hmacHex(signing.key, text);
    if (!sameHex(expected, this.#chunkSignature)) throw badSignature("a chunk");
    this.#previousSignature = expected;
  }

  #collectTrailer(bytes: Uint8Array): void {
    if (this.#trailer.length + bytes.length > MAX_TRAILER_BYTES) {
      throw s3Error(
        "MalformedTrailerError",
        `Cannot store the body: its trailer is longer than ${MAX_TRAILER_BYTES} bytes`,
      );
    }
    this.#trailer += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  }

  /** The signature covers the trailers by name, one `name:value` and a line feed each. */
  #checkTrailerSignature(trailers: Map<string, string>): void {
    const { signing } = this.#options;
    const signature = trailers.get("x-amz-trailer-signature") ?? "";
    trailers.delete("x-amz-trailer-signature");
    if (signing === null || this.#options.trailers.length === 0) return;
    const lines = [...trailers].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}\n`);
    const digest = hash("sha256", Buffer.from(lines.join(""), "latin1"), "hex");
    const { timestamp, scope } = signing;
    const text = `AWS4-HMAC-SHA256-TRAILER\n${timestamp}\n${scope}\n${this.#previousSignature}\n${digest}`;
    if (!sameHex(hmacHex(signing.key, text), signature)) throw badSignature("the trailer");
  }

  #checkTrailerNames(trailers: ReadonlyMap<string, string>): void {
    const missing = this.#options.trailers.find((name) => !trailers.has(name));
    if (missing !== undefined) {
      throw s3Error("MalformedTrailerError", `Cannot store the body: the announced trailer "${missing}" did not come`);
    }
    const unknown = [...trailers.keys()].find((name) => !this.#options.trailers.includes(name));
    if (unknown !== undefined) {
      throw s3Error(
        "MalformedTrailerError",
        `Cannot store the body: the trailer "${unknown}" was not announced in x-amz-trailer`,
      );
    }
  }
}

/** Some clients put an empty line before the trailer's signature or end lines with LF alone; empty lines carry nothing and are skipped. */
function readTrailers(text: string): Map<string, string> {
  const trailers = new Map<string, string>();
  if (text !== "" && text.charCodeAt(text.length - 1) !== LF) {
    throw new SluiceError("BODY_TRUNCATED", "Cannot store the body: it ended inside its trailer");
  }
  for (const raw of text.split("\n")) {
    const line = raw.charCodeAt(raw.length - 1) === CR ? raw.slice(0, -1) : raw;
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name === "" || trailers.has(name)) {
      throw s3Error("MalformedTrailerError", 'Cannot store the body: a line of its trailer is not "name:value"');
    }
    trailers.set(name, line.slice(colon + 1).trim());
  }
  return trailers;
}

function badChunk(what: string): SluiceError {
  return s3Error("InvalidRequest", `Cannot store the body: ${what}`);
}

function badSignature(of: string): SluiceError {
  return s3Error("SignatureDoesNotMatch", `Cannot store the body: the signature of ${of} is wrong`);
}
