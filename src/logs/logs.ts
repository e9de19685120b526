/** A piece of a log as it arrived. */
export interface LogChunk {
  /** Arrival, UTC ms. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Writes one attempt's log. Head and tail of a log over the limit are kept, with a line between that says how much is missing. */
export interface LogWriter {
  /** Resolves when the writer may go on (back-pressure). */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Ends the log. A short log is returned, to be kept in the attempt's row; a longer one lies in its file and null is returned. */
  finish(): Promise<Uint8Array | null>;
  /** Forgets the log of an attempt that was superseded. */
  discard(): Promise<void>;
}

export interface LogStore {
  writer(jobId: string, attempt: number): LogWriter;
  /** The log of an attempt in order. `follow` goes on until the attempt ends or `signal` aborts. */
  read(jobId: string, attempt: number, options: { follow: boolean; signal?: AbortSignal }): AsyncIterable<LogChunk>;
  /** Removes the files of these jobs. */
  remove(jobIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}
