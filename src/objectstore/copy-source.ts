import type { StoredObject } from "../core/object.ts";
import { decide } from "../identity/decide.ts";
import { type HeaderTable, header } from "../s3/canonical-request.ts";
import { s3Error } from "../s3/errors.ts";
import { decodeUriPart } from "../s3/uri-encoding.ts";
import type { Call } from "./call.ts";
import { checkConditions } from "./conditions.ts";
import { noSuchObject } from "./find-object.ts";
import type { ByteRange } from "./ranges.ts";

/** What `x-amz-copy-source` names. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  /** Null for the latest. */
  readonly versionId: string | null;
}

/** `/bucket/key` or `bucket/key`, percent-encoded, maybe with `?versionId=`. @throws SluiceError S3 InvalidArgument */
export function readCopySource(text: string): CopySource {
  const [path = "", version] = text.split("?versionId=", 2);
  const decoded = decodeUriPart(path.replace(/^\//, ""));
  const slash = decoded.indexOf("/");
  if (slash < 1 || slash === decoded.length - 1) {
    throw s3Error("InvalidArgument", "Cannot use x-amz-copy-source: it is not <bucket>/<key>");
  }
  const versionId = version === undefined ? null : decodeUriPart(version);
  return { bucket: decoded.slice(0, slash), key: decoded.slice(slash + 1), versionId };
}

/** The object to copy from, when the caller may read it and the request's conditions on it hold.
 *  @throws SluiceError S3 NoSuchBucket, NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidArgument */
export async function findCopySource(call: Call): Promise<StoredObject> {
  const { headers } = call.request;
  const source = readCopySource(header(headers, "x-amz-copy-source") ?? "");
  const bucket = await call.deps.buckets.get(source.bucket);
  const resource = { kind: "object", name: `${source.bucket}/${source.key}`, owner: bucket?.owner ?? null } as const;
  if (bucket === null || !decide(call.caller.principal, "object.read", resource)) {
    throw s3Error("NoSuchBucket", "Cannot find the source bucket: it does not exist or belongs to somebody else", {
      BucketName: source.bucket,
    });
  }
  const object = await call.deps.state.objectVersion(source.bucket, source.key, source.versionId);
  if (object === null || object.blob === null) throw noSuchObject(source.key, source.versionId);
  if (checkConditions(object, sourceConditions(headers)) !== "go") {
    throw s3Error(
      "PreconditionFailed",
      "Cannot copy the object: it is not in the state that the request's condition asks for",
    );
  }
  return object;
}

const CONDITION = "x-amz-copy-source-if-";

/** The conditions on the source, under the names that conditions have. */
function sourceConditions(headers: HeaderTable): HeaderTable {
  return new Map(
    [...headers].flatMap(([name, values]) =>
      name.startsWith(CONDITION) ? [[`if-${name.slice(CONDITION.length)}`, values] as const] : [],
    ),
  );
}

/** `bytes=first-last`, both given and inside the source. @throws SluiceError S3 InvalidArgument, InvalidRange */
export function readCopyRange(headers: HeaderTable, sizeBytes: number): ByteRange {
  const text = header(headers, "x-amz-copy-source-range");
  if (text === undefined) return { start: 0, endExclusive: sizeBytes };
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw s3Error("InvalidArgument", "Cannot use x-amz-copy-source-range: it is not bytes=<first>-<last>");
  }
  if (Number(last) >= sizeBytes) {
    throw s3Error("InvalidRange", `Cannot copy the range: the source has ${sizeBytes} bytes`, {
      ActualObjectSize: String(sizeBytes),
    });
  }
  return { start: Number(first), endExclusive: Number(last) + 1 };
}
