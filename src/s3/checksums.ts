import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc32c } from "../lib/crc32c.ts";
import { Crc64Nvme } from "./crc64nvme.ts";
import { s3Error } from "./errors.ts";

/** A digest of bytes that arrive in pieces. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the hasher. */
  digest(): Buffer;
}

interface Algorithm {
  readonly bytes: number;
  readonly create: () => Hasher;
}

/** The checksums that S3 clients send as `x-amz-checksum-<name>`, base64, big-endian.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  crc32: { bytes: 4, create: crc32Hasher },
  crc32c: { bytes: 4, create: crc32cHasher },
  crc64nvme: { bytes: 8, create: () => new Crc64Nvme() },
  sha1: { bytes: 20, create: () => createHash("sha1") },
  sha256: { bytes: 32, create: () => createHash("sha256") },
};

export const CHECKSUM_PREFIX = "x-amz-checksum-";

/** Headers that begin like a checksum and are none. */
const NOT_ALGORITHMS = new Set(["mode", "type", "algorithm"]);

/** The algorithm a header or trailer is about, or null when it is no checksum.
 *  @throws SluiceError S3 NotImplemented for an algorithm that is not known here, so that no checksum goes unverified in silence */
export function checksumAlgorithm(headerName: string): string | null {
  if (!headerName.startsWith(CHECKSUM_PREFIX)) return null;
  const name = headerName.slice(CHECKSUM_PREFIX.length);
  if (NOT_ALGORITHMS.has(name)) return null;
  if (!Object.hasOwn(ALGORITHMS, name)) {
    throw s3Error("NotImplemented", `Cannot verify the checksum "${name}": use ${Object.keys(ALGORITHMS).join(", ")}`);
  }
  return name;
}

/** @param algorithm a name that `checksumAlgorithm` gave */
export function createChecksum(algorithm: string): Hasher {
  return known(algorithm).create();
}

/** The bytes of a checksum sent as base64.
 *  @throws SluiceError S3 InvalidRequest when it is not base64 of the algorithm's length */
export function readChecksum(algorithm: string, base64: string): Buffer {
  const bytes = strictBase64(base64);
  if (bytes === null || bytes.length !== known(algorithm).bytes) {
    throw s3Error(
      "InvalidRequest",
      `Cannot use the ${algorithm} checksum sent: it is not base64 of ${known(algorithm).bytes} bytes`,
    );
  }
  return bytes;
}

/** The bytes of a Content-MD5 header. @throws SluiceError S3 InvalidDigest */
export function readContentMd5(base64: string): Buffer {
  const bytes = strictBase64(base64);
  if (bytes === null || bytes.length !== 16) {
    throw s3Error("InvalidDigest", "Cannot use the Content-MD5 sent: it is not base64 of 16 bytes");
  }
  return bytes;
}

/** Node's decoder skips what is no base64; only text that encodes back to itself is accepted. */
function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

function known(algorithm: string): Algorithm {
  const found = ALGORITHMS[algorithm];
  if (found === undefined)
    throw s3Error("NotImplemented", `Cannot compute the checksum "${algorithm}": it is not known`);
  return found;
}

function crc32Hasher(): Hasher {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    digest: () => bigEndian(value),
  };
}

function crc32cHasher(): Hasher {
  const crc = new Crc32c();
  return { update: (bytes) => crc.update(bytes), digest: () => bigEndian(crc.value) };
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
