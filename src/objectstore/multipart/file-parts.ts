import type { Log } from "../../lib/log.ts";
import type { Completion, MultipartUpload, ObjectCalls, Part } from "../../state/object-calls.ts";
import type { WriterDeps } from "../blob-writer.ts";
import type { BlobStore } from "../blobs.ts";
import { commitStaged } from "../commit-staged.ts";
import { Assembly, type Slot } from "./assembly.ts";
import { joinInPlace, readPart, writeInPlace } from "./assembly-file.ts";
import { fitsAssembly, placeParts } from "./layout.ts";
import type { PartStore, StagedPart } from "./part-store.ts";

export const MAX_PARTS = 10_000;
/** Uploads remembered while nobody writes to them; the others are read from the state again. */
const REMEMBERED = 1000;

/** An upload that somebody works on, or did. */
interface Remembered {
  readonly read: Promise<Assembly>;
  /** Null until it is read. */
  assembly: Assembly | null;
  users: number;
}

export interface FilePartsDeps {
  readonly writer: WriterDeps;
  readonly blobs: Pick<BlobStore, "stage" | "read" | "discard">;
  readonly state: Pick<ObjectCalls, "multipartUpload" | "parts">;
  readonly log: Log;
}

/** Parts as files of the blob folder. */
export class FileParts implements PartStore {
  readonly #deps: FilePartsDeps;
  readonly #remembered = new Map<string, Remembered>();

  constructor(deps: FilePartsDeps) {
    this.#deps = deps;
  }

  async addPart<T>(
    upload: MultipartUpload,
    number: number,
    source: AsyncIterable<Uint8Array>,
    sizeBytes: number | null,
    commit: (part: StagedPart) => Promise<T>,
  ): Promise<T> {
    return this.#using(upload, (assembly) => {
      const slot =
        sizeBytes === null ? null : assembly.claim(number, sizeBytes, () => this.#deps.writer.folder.newFileId());
      if (slot === null) return this.#addBeside(source, sizeBytes ?? 0, commit);
      return this.#addInPlace(assembly, slot, source, commit);
    });
  }

  async #addInPlace<T>(
    assembly: Assembly,
    slot: Slot,
    source: AsyncIterable<Uint8Array>,
    commit: (part: StagedPart) => Promise<T>,
  ): Promise<T> {
    const { blobId, partBytes } = slot;
    let kept = false;
    try {
      const facts = await writeInPlace(this.#deps.writer, assembly, slot, source);
      const result = await assembly.run(() => commit({ ...facts, place: { kind: "assembly", blobId, partBytes } }));
      assembly.committed();
      kept = true;
      return result;
    } finally {
      if (!kept) assembly.free(slot.number);
    }
  }

  async #addBeside<T>(
    source: AsyncIterable<Uint8Array>,
    sizeBytes: number,
    commit: (part: StagedPart) => Promise<T>,
  ): Promise<T> {
    const blob = await this.#deps.blobs.stage(source, sizeBytes);
    const facts = { md5: blob.md5, sizeBytes: blob.sizeBytes, pieceCrc32c: blob.blockCrc32c };
    return commitStaged(this.#deps, blob, () => commit({ ...facts, place: { kind: "own", blob } }));
  }

  async complete<T>(
    upload: MultipartUpload,
    choose: (all: readonly Part[]) => readonly Part[],
    commit: (bytes: Completion["bytes"], chosen: readonly Part[]) => Promise<T>,
  ): Promise<T> {
    return this.#using(upload, async (assembly) => {
      await assembly.seal();
      let done = false;
      try {
        const all = await this.#deps.state.parts(upload.uploadId, 0, MAX_PARTS);
        const chosen = choose(all);
        const result = await this.#together(assembly, all, chosen, (bytes) => commit(bytes, chosen));
        done = true;
        return result;
      } finally {
        // A completed one stays sealed: whoever still writes to it learns that it is over.
        if (done) this.#remembered.delete(upload.uploadId);
        else assembly.unseal();
      }
    });
  }

  async #together<T>(
    assembly: Assembly,
    all: readonly Part[],
    chosen: readonly Part[],
    commit: (bytes: Completion["bytes"]) => Promise<T>,
  ): Promise<T> {
    const { placed, sizeBytes } = placeParts(chosen);
    const { file } = assembly;
    const { writer, blobs } = this.#deps;
    if (file !== null && fitsAssembly(file.partBytes, all, placed)) {
      return joinInPlace(writer, blobs, file.blobId, { placed, sizeBytes }, (blockCrc32c) =>
        commit({ kind: "assembly", sizeBytes, blockCrc32c }),
      );
    }
    const blob = await blobs.stage(this.#bytesOf(assembly, chosen), sizeBytes);
    return commitStaged(this.#deps, blob, () => commit({ kind: "blob", blob }));
  }

  async *#bytesOf(assembly: Assembly, parts: readonly Part[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield* readPart(this.#deps.writer, this.#deps.blobs, assembly.file, part);
  }

  async forget(uploadId: string): Promise<void> {
    const remembered = this.#remembered.get(uploadId);
    this.#remembered.delete(uploadId);
    const unnamed = (await remembered?.read)?.unnamed ?? null;
    if (unnamed !== null) await this.#deps.blobs.discard([unnamed]);
  }

  /** Removes files that no row names. No part is being added any more. */
  async close(): Promise<void> {
    for (const uploadId of [...this.#remembered.keys()]) await this.forget(uploadId);
  }

  /** What is in memory is right while it is there: all writers of this data directory are in this process, and everybody who works on an upload
   *  has the same Assembly, which is not forgotten before the last of them has gone. */
  async #using<T>(upload: MultipartUpload, work: (assembly: Assembly) => Promise<T>): Promise<T> {
    const remembered = this.#remembered.get(upload.uploadId) ?? this.#remember(upload);
    remembered.users += 1;
    try {
      return await work(await remembered.read);
    } finally {
      remembered.users -= 1;
    }
  }

  #remember(upload: MultipartUpload): Remembered {
    if (this.#remembered.size >= REMEMBERED) this.#forgetUnused();
    const remembered: Remembered = { read: this.#read(upload), assembly: null, users: 0 };
    this.#remembered.set(upload.uploadId, remembered);
    remembered.read.then(
      (assembly) => {
        remembered.assembly = assembly;
      },
      () => this.#remembered.delete(upload.uploadId),
    );
    return remembered;
  }

  async #read({ bucket, key, uploadId }: MultipartUpload): Promise<Assembly> {
    const { state } = this.#deps;
    const [upload, parts] = await Promise.all([
      state.multipartUpload(bucket, key, uploadId),
      state.parts(uploadId, 0, MAX_PARTS),
    ]);
    return new Assembly(uploadId, upload?.assembly ?? null, parts);
  }

  /** What the state knows too can be read from it again; a file that no row names is known here alone. */
  #forgetUnused(): void {
    for (const [uploadId, { assembly, users }] of this.#remembered) {
      if (users === 0 && assembly?.unnamed === null) this.#remembered.delete(uploadId);
    }
  }
}
