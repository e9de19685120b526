import { randomBytes, randomUUID, randomUUIDv7 } from "node:crypto";

/** Job ids are `<service>-<uuid>`; a service name of 25 characters or more is cut to its first 16, as OSCAR does,
 *  so that the id stays a valid Kubernetes name. The uuid is version 7: ids of one service sort by time, so that an index on them grows
 *  at one end. */
export function newJobId(service: string): string {
  return `${service.length >= 25 ? service.slice(0, 16) : service}-${randomUUIDv7()}`;
}

export const newEventId = (): string => randomUUID();
export const newRevisionId = (): string => `rev-${randomBytes(8).toString("hex")}`;

/** 128 random bits in hex: blob names cannot be guessed, so a path that leaks names no other. */
export const newBlobId = (): string => randomHex(16);

/** 64 hex characters, the form OSCAR's clients know. */
export const newToken = (): string => randomHex(32);

/** Random bytes are asked for in stretches: a call costs more than the bytes. */
const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);
let at = 0;

function randomHex(bytes: number): string {
  if (at + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES);
    at = 0;
  }
  at += bytes;
  return pool.toString("hex", at - bytes, at);
}
