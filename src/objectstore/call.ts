import type { ServerResponse } from "node:http";
import type { Bucket } from "../core/object.ts";
import type { Principal } from "../core/principal.ts";
import { decide } from "../identity/decide.ts";
import type { Action, Identity } from "../identity/identity.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { s3Error } from "../s3/errors.ts";
import type { FormUpload } from "../s3/form-data.ts";
import type { Payload } from "../s3/payload.ts";
import type { SigningContext } from "../s3/signature.ts";
import type { ObjectCalls } from "../state/object-calls.ts";
import type { Lineage, State } from "../state/state.ts";
import type { BlobStore } from "./blobs.ts";
import type { BucketCache } from "./bucket-cache.ts";
import type { PartStore } from "./multipart/part-store.ts";
import type { S3Request } from "./request.ts";

/** The part of the state that the S3 port uses. */
export type StoreState = Pick<
  State,
  | "createBucket"
  | "deleteBucket"
  | "bucket"
  | "buckets"
  | "commitUpload"
  | "listObjects"
  | "deleteObjects"
  | "subscribe"
> &
  ObjectCalls;

/** What every operation works with. */
export interface StoreDeps {
  readonly state: StoreState;
  readonly blobs: Pick<BlobStore, "stage" | "read" | "pour" | "readSmall" | "discard">;
  readonly parts: PartStore;
  readonly identity: Pick<Identity, "accessKey">;
  readonly buckets: BucketCache;
  readonly log: Log;
  readonly clock: Clock;
}

/** Who signed a request. */
export interface Caller {
  readonly principal: Principal;
  /** Set when the key is a running job's: what it writes belongs to that job's chain. */
  readonly lineage: Lineage | null;
  readonly payload: Payload;
  readonly signing: SigningContext;
  /** Set when the signature came in the fields of a browser's form. Its reader closes it. */
  readonly form: FormUpload | null;
}

/** A request that nobody has believed yet, and the way to answer it. */
export interface Exchange {
  readonly deps: StoreDeps;
  readonly request: S3Request;
  readonly response: ServerResponse;
}

/** A request whose signature holds. */
export interface Call extends Exchange {
  readonly caller: Caller;
}

export type Operation = (call: Call) => Promise<void>;

/** The bucket of the call, when the caller may do that with it. A bucket of somebody else is not told from one that does not exist (decision 21).
 *  @throws SluiceError BUCKET_UNKNOWN */
export async function allowedBucket(call: Call, action: Action): Promise<Bucket> {
  const name = call.request.bucket;
  const bucket = await call.deps.buckets.get(name);
  const kind = action.startsWith("object.") ? "object" : "bucket";
  const resource = {
    kind,
    name: kind === "object" ? `${name}/${call.request.key}` : name,
    owner: bucket?.owner ?? null,
  } as const;
  if (bucket === null || !decide(call.caller.principal, action, resource)) {
    throw s3Error("NoSuchBucket", "Cannot find the bucket: it does not exist or belongs to somebody else", {
      BucketName: name,
    });
  }
  return bucket;
}
