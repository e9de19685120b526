import type { StagedBlob } from "../../../core/object.ts";
import type { Completion, NewPart } from "../../object-calls.ts";
import type { StagedOutput } from "../../state.ts";

/** Bytes with a buffer of their own: a message to a worker copies the whole buffer behind a view, and Node's small buffers share one. */
export function ownBytes<Bytes extends Uint8Array | null>(bytes: Bytes): Bytes | Uint8Array {
  if (bytes === null || bytes.byteLength === bytes.buffer.byteLength) return bytes;
  return new Uint8Array(bytes);
}

export function ownBlob(blob: StagedBlob): StagedBlob {
  const { blobId, sizeBytes, md5, blockCrc32c, inline } = blob;
  return { blobId, sizeBytes, md5, blockCrc32c: ownBytes(blockCrc32c), inline: ownBytes(inline) };
}

export const ownOutputs = (outputs: readonly StagedOutput[]): StagedOutput[] =>
  outputs.map((output) => ({ ...output, blob: ownBlob(output.blob) }));

export function ownPart(part: NewPart): NewPart {
  const { place } = part;
  const ownPlace = place.kind === "own" ? { ...place, blob: ownBlob(place.blob) } : place;
  return { ...part, pieceCrc32c: ownBytes(part.pieceCrc32c), place: ownPlace };
}

export function ownCompletion(completion: Completion): Completion {
  const { bytes } = completion;
  if (bytes.kind === "blob") return { ...completion, bytes: { ...bytes, blob: ownBlob(bytes.blob) } };
  return { ...completion, bytes: { ...bytes, blockCrc32c: ownBytes(bytes.blockCrc32c) } };
}
