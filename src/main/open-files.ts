import { SluiceError } from "../core/errors.ts";

/** Database, worker threads, listeners, blob folders, and what a backup opens: 45 were seen. */
const SERVER_FILES = 64;
/** One running attempt: launcher, control group and pipes (16), and its outputs while they are stored, eight at a time with two files each. */
const FILES_PER_SLOT = 32;
/** Of an S3 connection: the socket, and two files of an object that is copied. */
const FILES_PER_S3_CONNECTION = 3;
/** Of an API connection: the socket, and a log that is followed. */
const FILES_PER_API_CONNECTION = 2;
/** The S3 port's part of what is left for connections; the API has the rest. */
const S3_SHARE = 0.75;
/** Kept-alive connections that may be idle while as many others work. */
const CONNECTIONS_PER_REQUEST = 2;
/** With fewer connections to a port, clients of more than one person fail. */
const FEWEST_CONNECTIONS = 4;
/** Requests that the S3 port works on at once where files are plenty. */
const S3_REQUESTS = 256;

/** How many connections may be open, so that the server's own files can always be opened. Infinity: no limit. */
export interface OpenFilesShare {
  readonly s3Connections: number;
  readonly s3Requests: number;
  readonly apiConnections: number;
}

/** What a process that may open `limit` files can serve beside `slots` running attempts; null when it cannot serve at all. */
export function shareOpenFiles(limit: number, slots: number): OpenFilesShare | null {
  const left = limit - leastOpenFiles(slots, 0);
  const s3Connections = Math.floor((left * S3_SHARE) / FILES_PER_S3_CONNECTION);
  const apiConnections = Math.floor((left * (1 - S3_SHARE)) / FILES_PER_API_CONNECTION);
  if (Math.min(s3Connections, apiConnections) < FEWEST_CONNECTIONS) return null;
  return {
    s3Connections,
    apiConnections,
    s3Requests: Math.min(S3_REQUESTS, Math.ceil(s3Connections / CONNECTIONS_PER_REQUEST)),
  };
}

/** The smallest limit on open files with which `s3Connections` can be open at once; by default, with which the server starts. */
export function leastOpenFiles(slots: number, s3Connections = LEAST_S3_CONNECTIONS): number {
  return SERVER_FILES + FILES_PER_SLOT * slots + Math.ceil((s3Connections * FILES_PER_S3_CONNECTION) / S3_SHARE);
}

/** As many as leave the API its fewest. */
const LEAST_S3_CONNECTIONS =
  (FEWEST_CONNECTIONS * FILES_PER_API_CONNECTION * S3_SHARE) / (1 - S3_SHARE) / FILES_PER_S3_CONNECTION;

/** The smallest limit that holds back no upload. */
export const plentyOpenFiles = (slots: number): number => leastOpenFiles(slots, S3_REQUESTS * CONNECTIONS_PER_REQUEST);

/** @throws SluiceError CONFIG_INVALID when the server cannot work with so few files */
export function requireOpenFiles(limit: number, slots: number): OpenFilesShare {
  const share = shareOpenFiles(limit, slots);
  if (share !== null) return share;
  throw new SluiceError(
    "CONFIG_INVALID",
    `Cannot start: this process may open ${limit} files, and ${slots} jobs at once need ${leastOpenFiles(slots)} (raise it with "ulimit -n ${plentyOpenFiles(slots)}" or LimitNOFILE=, or lower local.slots)`,
  );
}
