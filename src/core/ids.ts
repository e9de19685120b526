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
export const newBlobId = (): string => randomBytes(16).toString("hex");

/** 64 hex characters, the form OSCAR's clients know. */
export const newToken = (): string => randomBytes(32).toString("hex");
