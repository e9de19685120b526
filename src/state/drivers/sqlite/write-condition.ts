import { SluiceError } from "../../../core/errors.ts";
import type { Upload } from "../../state.ts";
import type { VersionRow } from "./version-rows.ts";

/** What a write under a key asks of the latest version there. A delete marker counts as nothing there.
 *  @throws SluiceError OBJECT_UNKNOWN when If-Match finds no object, as S3 answers; else PRECONDITION_FAILED */
export function checkWrite(
  { condition, bucket, key }: Pick<Upload, "condition" | "bucket" | "key">,
  before: VersionRow | undefined,
): void {
  if (condition === null) return;
  const { ifMatch, ifNoneMatch } = condition;
  if (ifMatch !== undefined && isNothing(before)) {
    throw new SluiceError(
      "OBJECT_UNKNOWN",
      `Cannot write "${bucket}/${key}": If-Match asks for an object that is not there`,
    );
  }
  if (ifMatch !== undefined && !namesVersion(ifMatch, before)) {
    throw new SluiceError("PRECONDITION_FAILED", `Cannot write "${bucket}/${key}": If-Match names another version`);
  }
  if (ifNoneMatch !== undefined && namesVersion(ifNoneMatch, before)) {
    throw new SluiceError("PRECONDITION_FAILED", `Cannot write "${bucket}/${key}": If-None-Match names what is there`);
  }
}

/** True when the ETag is the version's. It may come with its quotes; `*` means any object. */
export function namesVersion(tag: string, version: VersionRow | undefined): boolean {
  if (isNothing(version)) return false;
  return tag === "*" || tag.replaceAll('"', "") === version.etag;
}

function isNothing(version: VersionRow | undefined): version is undefined {
  return version === undefined || version.is_delete_marker === 1;
}
