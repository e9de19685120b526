import { randomBytes } from "node:crypto";
import type { Completion, NewMultipartUpload, NewPart, Part, UploadPage, UploadQuery } from "../object-calls.ts";
import type { State } from "../state.ts";
import { ADA, blob } from "./state-bench.ts";

export const PART_BYTES = 5;

/** What the tests of multipart uploads say shortly. Everything is in the bucket "box". */
export class UploadsBench {
  readonly #state: () => State;

  /** @param state asked each time: a test may open it again */
  constructor(state: () => State) {
    this.#state = state;
  }

  /** Begins an upload; returns its id. */
  async create(key = "a", over: Partial<NewMultipartUpload> = {}): Promise<string> {
    const uploadId = randomBytes(16).toString("hex");
    const facts = { contentType: "x/y", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null };
    await this.#state().createUpload({ by: ADA, uploadId, bucket: "box", key, ...facts, at: 7, ...over });
    return uploadId;
  }

  /** A part at its place in the upload's assembly. */
  inAssembly(uploadId: string, number: number, over: Partial<NewPart> = {}): Promise<void> {
    const place = { kind: "assembly" as const, blobId: assemblyOf(uploadId), partBytes: PART_BYTES };
    return this.#state().putPart(uploadId, { ...part(number), place, ...over });
  }

  /** A part in a blob of its own; returns the blob's id. */
  async own(uploadId: string, number: number, how: "inline" | "file" = "file", text = "bytes"): Promise<string> {
    const bytes = blob(text, how);
    const { md5, sizeBytes } = bytes;
    await this.#state().putPart(uploadId, { ...part(number), md5, sizeBytes, place: { kind: "own", blob: bytes } });
    return bytes.blobId;
  }

  parts(uploadId: string, after = 0, limit = 100_000): Promise<Part[]> {
    return this.#state().parts(uploadId, after, limit);
  }

  /** Completes with every part there is, as the assembly, unless told otherwise. */
  async complete(uploadId: string, over: Partial<Completion> = {}) {
    const named = over.parts ?? (await this.parts(uploadId));
    const sizeBytes = named.reduce((sum, each) => sum + each.sizeBytes, 0);
    return this.#state().completeUpload({
      ...{ by: ADA, bucket: "box", key: "a", uploadId, etag: `e-${named.length}`, checksums: {}, condition: null },
      ...{ parts: named, bytes: { kind: "assembly", sizeBytes, blockCrc32c: Buffer.from("crc!") }, at: 9 },
      ...over,
    });
  }

  page(query: Partial<UploadQuery> = {}): Promise<UploadPage> {
    const all = { bucket: "box", prefix: "", delimiter: "", afterKey: "", afterUploadId: null, limit: 100_000 };
    return this.#state().listUploads({ ...all, ...query });
  }
}

export const assemblyOf = (uploadId: string): string => `assembly-${uploadId}`;

function part(number: number): Omit<NewPart, "place"> {
  const bytes = blob(`part ${number}`);
  return { number, sizeBytes: PART_BYTES, md5: bytes.md5, pieceCrc32c: Buffer.from("crc!"), checksums: {}, at: 8 };
}
