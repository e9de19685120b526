import { type S3Code, s3Error } from "../../s3/errors.ts";
import type { BucketConfigKind } from "../../state/object-calls.ts";
import { answerEmpty } from "../answer.ts";
import { readSmallBody } from "../body.ts";
import { allowedBucket, type Call, type Operation } from "../call.ts";

/** S3's largest policy is 20 KB, its largest lifecycle (1,000 rules) stays well below this. */
const MAX_BYTES = 1024 * 1024;

/** A configuration that is kept as the client sent it. */
export interface KeptConfiguration {
  readonly kind: BucketConfigKind;
  readonly contentType: "application/xml" | "application/json";
  /** What is answered while there is none: an error, or a document. */
  readonly absent: { readonly code: S3Code; readonly message: string } | { readonly document: string };
  /** The status of a PUT that succeeds. */
  readonly putStatus: 200 | 204;
  /** @throws SluiceError when the body is not what S3 takes */
  readonly check: (body: Buffer) => unknown;
}

export function getConfiguration({ kind, contentType, absent }: KeptConfiguration): Operation {
  return async (call) => {
    await allowedBucket(call, "bucket.list");
    const kept = await call.deps.state.bucketConfig(call.request.bucket, kind);
    if (kept === null && "code" in absent)
      throw s3Error(absent.code, absent.message, { BucketName: call.request.bucket });
    const body = Buffer.from(kept ?? ("document" in absent ? absent.document : ""), "utf8");
    call.response.writeHead(200, ["Content-Type", contentType, "Content-Length", String(body.length)]);
    call.response.end(body);
  };
}

export function putConfiguration({ kind, putStatus, check }: KeptConfiguration): Operation {
  return async (call) => {
    await allowedBucket(call, "bucket.write");
    const body = await readSmallBody(call, MAX_BYTES);
    check(body);
    await keep(call, kind, body.toString("utf8"));
    answerEmpty(call.response, putStatus);
  };
}

export function deleteConfiguration({ kind }: KeptConfiguration): Operation {
  return async (call) => {
    await allowedBucket(call, "bucket.write");
    await keep(call, kind, null);
    answerEmpty(call.response, 204);
  };
}

async function keep({ deps, request, caller }: Call, kind: BucketConfigKind, body: string | null): Promise<void> {
  await deps.state.setBucketConfig(caller.principal, request.bucket, kind, body);
  deps.buckets.clear();
}
