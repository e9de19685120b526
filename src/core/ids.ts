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
export function newBlobId(): string {
  if (at === pool.length) {
    pool = randomBytes(ID_BYTES * 256);
    at = 0;
  }
  at += ID_BYTES;
  return pool.toString("hex", at - ID_BYTES, at);
}

const ID_BYTES = 16;
/** Random bytes are asked for in stretches: a call costs more than the bytes. */
let pool = Buffer.alloc(0);
let at = 0;

/** 64 hex characters, the form OSCAR's clients know. */
export const newToken = (): string => randomBytes(32).toString("hex");
