import type { Completion, MultipartUpload, ObjectCalls, Part } from "../../state/object-calls.ts";
import type { WriterDeps } from "../blob-writer.ts";
import type { BlobStore } from "../blobs.ts";
import { Assembly } from "./assembly.ts";
import { joinInPlace, readPart, writeInPlace } from "./assembly-file.ts";
import { fitsAssembly, placeParts } from "./layout.ts";
import type { PartStore, StagedPart } from "./part-store.ts";

export const MAX_PARTS = 10_000;
/** Uploads remembered while nobody writes to them; the others are read from the state again. */
const REMEMBERED = 1000;

export interface FilePartsDeps {
  readonly writer: WriterDeps;
  readonly blobs: Pick<BlobStore, "stage" | "read" | "discard">;
  readonly state: Pick<ObjectCalls, "multipartUpload" | "parts">;
}

/** Parts as files of the blob folder. */
export class FileParts implements PartStore {
  readonly #deps: FilePartsDeps;
  readonly #assemblies = new Map<string, Promise<Assembly>>();

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
    const assembly = await this.#assembly(upload);
    const start = assembly.claim(number, sizeBytes ?? 0, () => this.#deps.writer.folder.newFileId());
    if (start === null || sizeBytes === null) return this.#addBeside(source, sizeBytes, commit);
    let kept = false;
    try {
      const file = assembly.file ?? { blobId: "", partBytes: 0 };
      const facts = await writeInPlace(this.#deps.writer, assembly, { ...file, start, sizeBytes }, source);
      const result = await assembly.run(() => commit({ ...facts, place: { kind: "assembly", ...file } }));
      assembly.committed();
      kept = true;
      return result;
    } finally {
      if (!kept) assembly.free(number);
    }
  }

  async #addBeside<T>(
    source: AsyncIterable<Uint8Array>,
    sizeBytes: number | null,
    commit: (part: StagedPart) => Promise<T>,
  ): Promise<T> {
    const blob = await this.#deps.blobs.stage(source, sizeBytes ?? 0);
    const { md5, blockCrc32c } = blob;
    try {
      return await commit({
        md5,
        sizeBytes: blob.sizeBytes,
        pieceCrc32c: blockCrc32c,
        place: { kind: "own", blob },
      });
    } catch (error) {
      if (blob.inline === null) await this.#deps.blobs.discard([blob.blobId]);
      throw error;
    }
  }

  async complete<T>(
    upload: MultipartUpload,
    choose: (all: readonly Part[]) => readonly Part[],
    commit: (bytes: Completion["bytes"], chosen: readonly Part[]) => Promise<T>,
  ): Promise<T> {
    const assembly = await this.#assembly(upload);
    await assembly.seal();
    let done = false;
    try {
      const all = await this.#deps.state.parts(upload.uploadId, 0, MAX_PARTS);
      const chosen = choose(all);
      const result = await this.#together(assembly, all, chosen, (bytes) => commit(bytes, chosen));
      done = true;
      return result;
    } finally {
      if (done) this.#assemblies.delete(upload.uploadId);
      else assembly.unseal();
    }
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
    try {
      return await commit({ kind: "blob", blob });
    } catch (error) {
      if (blob.inline === null) await blobs.discard([blob.blobId]);
      throw error;
    }
  }

  async *#bytesOf(assembly: Assembly, parts: readonly Part[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield* readPart(this.#deps.writer, this.#deps.blobs, assembly.file, part);
  }

  async forget(uploadId: string): Promise<void> {
    const assembly = await this.#assemblies.get(uploadId);
    this.#assemblies.delete(uploadId);
    const unnamed = assembly?.unnamed ?? null;
    if (unnamed !== null) await this.#deps.blobs.discard([unnamed]);
  }

  /** Removes files that no row names. No part is being added any more. */
  async close(): Promise<void> {
    for (const uploadId of [...this.#assemblies.keys()]) await this.forget(uploadId);
  }

  /** What is in memory is right while it is there: all writers of this data directory are in this process. */
  #assembly(upload: MultipartUpload): Promise<Assembly> {
    const known = this.#assemblies.get(upload.uploadId);
    if (known !== undefined) return known;
    const read = this.#read(upload);
    this.#assemblies.set(upload.uploadId, read);
    read.catch(() => this.#assemblies.delete(upload.uploadId));
    if (this.#assemblies.size > REMEMBERED) void this.#forgetIdle();
    return read;
  }

  async #read({ bucket, key, uploadId }: MultipartUpload): Promise<Assembly> {
    const { state } = this.#deps;
    const [upload, parts] = await Promise.all([
      state.multipartUpload(bucket, key, uploadId),
      state.parts(uploadId, 0, MAX_PARTS),
    ]);
    return new Assembly(uploadId, upload?.assembly ?? null, parts);
  }

  async #forgetIdle(): Promise<void> {
    for (const [uploadId, read] of this.#assemblies) {
      const assembly = await read.catch(() => null);
      if (this.#assemblies.size <= REMEMBERED / 2) return;
      if (assembly?.idle === true) this.#assemblies.delete(uploadId);
    }
  }
}
