/** The files of an archive or a folder that holds an image, by name. */
export interface FileSet {
  has(name: string): boolean;
  /** All of a short file. @throws SluiceError IMAGE_INVALID when it is missing or has more than `maxBytes` */
  read(name: string, maxBytes: number): Promise<Buffer>;
  /** Bytes of the file, or null where there is none of the name. */
  size(name: string): number | null;
  stream(name: string, offset: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}
