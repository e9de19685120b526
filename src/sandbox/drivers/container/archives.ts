import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header, type Pack, pack } from "tar-stream";

/** What the Docker Engine API takes and gives files in. */

export type EntryHeader = Partial<Header> & Pick<Header, "name">;

/** An archive as it is written. An error of the writer is the reader's. */
export function makeArchive(write: (archive: Pack) => Promise<void>): Readable {
  const archive = pack();
  write(archive).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error as Error),
  );
  return Readable.from(archive);
}

/** Something without bytes. */
export function addEntry(archive: Pack, header: EntryHeader): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, (error) => (error ? reject(error) : resolve()));
  });
}

/** @param header with the file's size */
export async function addFile(archive: Pack, header: EntryHeader, path: string): Promise<void> {
  const entry = archive.entry({ ...header, type: "file" });
  await pipeline(createReadStream(path), entry as unknown as NodeJS.WritableStream);
}

export interface Member {
  readonly header: Header;
  /** To be read or passed over before the next one comes. */
  readonly body: AsyncIterable<Uint8Array>;
  skip(): void;
}

export async function* readMembers(archive: Readable): AsyncGenerator<Member> {
  const reader = extract();
  archive.on("error", (error) => reader.destroy(error));
  archive.pipe(reader as unknown as NodeJS.WritableStream);
  try {
    for await (const source of reader) {
      yield { header: source.header, body: source as AsyncIterable<Uint8Array>, skip: () => source.resume() };
    }
  } finally {
    // Of who has seen enough, the sender need not go on.
    archive.unpipe();
    archive.destroy();
  }
}
