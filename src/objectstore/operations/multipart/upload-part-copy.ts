import { createChecksum, type Hasher } from "../../../s3/checksums.ts";
import { element, xmlDocument } from "../../../s3/xml-write.ts";
import { readSmallBody } from "../../body.ts";
import type { Call } from "../../call.ts";
import { findCopySource, readCopyRange } from "../../copy-source.ts";
import { checksumElements } from "../../elements.ts";
import { answerWhenDone } from "../../slow-answer.ts";
import { findOpenUpload } from "./open-upload.ts";
import { checkPartSize, readPartNumber } from "./upload-part.ts";

/** UploadPartCopy: a part made of bytes that the store has. They are read, verified and written again, because a part must lie at its place. */
export async function uploadPartCopy(call: Call): Promise<void> {
  const { deps, request } = call;
  const number = readPartNumber(request);
  const upload = await findOpenUpload(call);
  await readSmallBody(call, 0);
  const source = await findCopySource(call);
  const { start, endExclusive } = readCopyRange(request.headers, source.sizeBytes);
  checkPartSize(endExclusive - start);
  const algorithm = upload.checksum?.algorithm;
  const hasher = algorithm === undefined ? null : createChecksum(algorithm);
  const bytes = hashed(deps.blobs.read(source, start, endExclusive), hasher);
  const work = deps.parts.addPart(upload, number, bytes, endExclusive - start, async (part) => {
    const digest = hasher?.digest().toString("base64");
    const checksums = algorithm === undefined || digest === undefined ? {} : { [algorithm]: digest };
    const at = deps.clock.now();
    await deps.state.putPart(upload.uploadId, { number, ...part, checksums, at });
    return xmlDocument("CopyPartResult", [
      element("LastModified", new Date(at).toISOString()),
      element("ETag", `"${part.md5}"`),
      ...checksumElements(checksums),
    ]);
  });
  const version = source.versionId === "null" ? [] : ["x-amz-copy-source-version-id", source.versionId];
  await answerWhenDone(call, work, version);
}

async function* hashed(source: AsyncIterable<Uint8Array>, hasher: Hasher | null): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    hasher?.update(piece);
    yield piece;
  }
}
