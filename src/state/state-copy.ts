/** A file that a copy of the state needs beside it. */
export interface CopiedBlob {
  readonly blobId: string;
  readonly sizeBytes: number;
}

/** A copy of the state at one moment, read without opening it for writing. */
export interface StateCopy {
  /** Every blob file that the copy names, in chunks, so that any number fits in memory. Blobs inside the copy itself are left out. */
  blobs(): AsyncIterable<readonly CopiedBlob[]>;
  close(): void;
}
