/** A piece of a log as it arrived. */
export interface LogChunk {
  /** Arrival, UTC ms. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Writes one attempt's log. Head and tail of a log over the limit are kept, with a line between that says how much is missing.
 *  Order of calls: `write`*, then `finish`, then `release` once the attempt's end is committed; or `discard` at any time. */
export interface LogWriter {
  /** Resolves when the writer may go on (back-pressure). The chunk is kept: it must not change afterwards. A full disk loses bytes, said in
   *  the log, and is no error here. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Ends the log. A short log is returned, to be kept in the attempt's row; a longer one lies durable in its file and null is returned.
   *  Readers still find it here. Again: the same answer. */
  finish(): Promise<Uint8Array | null>;
  /** The short log is in its row now: what this writer keeps of it goes. */
  release(): Promise<void>;
  /** Forgets the log of an attempt that was superseded. */
  discard(): Promise<void>;
}

export interface LogStore {
  /** The writer of an attempt; one for each. */
  writer(jobId: string, attempt: number): LogWriter;
  /** The log of an attempt in order. `follow` waits for an attempt that was leased but has not begun, and goes on until the attempt ends or
   *  `signal` aborts. An attempt that nobody knows has an empty log. A reader takes its time: it holds back neither the script nor others,
   *  and what it misses of a log over the limit is said in the log. */
  read(jobId: string, attempt: number, options: { follow: boolean; signal?: AbortSignal }): AsyncIterable<LogChunk>;
  /** Removes the files of these jobs. */
  remove(jobIds: readonly string[]): Promise<void>;
  /** Ends the followers and writes out what is held. */
  close(): Promise<void>;
}
