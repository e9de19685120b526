import { hash } from "node:crypto";
import { crc32c } from "./crc32c.ts";

export interface SmallHash {
  /** In hex. */
  readonly md5: string;
  /** CRC32C of the one block that the bytes are, big-endian; empty where there are none. */
  readonly blockCrc32c: Uint8Array;
}

/** MD5 and CRC32C of bytes that are one block (1 MiB) or less. */
export function hashSmall(bytes: Uint8Array): SmallHash {
  // An array buffer of its own: what crosses to another thread carries no pool with it.
  const blockCrc32c = new Uint8Array(bytes.length === 0 ? 0 : 4);
  if (bytes.length > 0) new DataView(blockCrc32c.buffer).setUint32(0, crc32c(bytes));
  return { md5: hash("md5", bytes, "hex"), blockCrc32c };
}
