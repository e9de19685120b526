import type { ObjectInfo } from "../core/object.ts";
import { type HeaderTable, header } from "../s3/canonical-request.ts";

/** What a conditional read comes to. */
export type ConditionResult = "go" | "not-modified" | "failed";

/** Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order that RFC 9110, section 13.2.2 gives: a tag is
 *  stronger than a date of the same direction. Dates that cannot be read count as absent. */
export function checkConditions(
  object: Pick<ObjectInfo, "etag" | "lastModified">,
  headers: HeaderTable,
): ConditionResult {
  const ifMatch = header(headers, "if-match");
  const ifNoneMatch = header(headers, "if-none-match");
  if (ifMatch !== undefined) {
    if (!namesTag(ifMatch, object.etag)) return "failed";
  } else if (changedSince(object, header(headers, "if-unmodified-since")) === true) return "failed";
  if (ifNoneMatch !== undefined) return namesTag(ifNoneMatch, object.etag) ? "not-modified" : "go";
  return changedSince(object, header(headers, "if-modified-since")) === false ? "not-modified" : "go";
}

/** If-Range: true when the range is still of what the client has. A date that is not exactly ours is no proof. */
export function rangeStillHolds(object: Pick<ObjectInfo, "etag" | "lastModified">, headers: HeaderTable): boolean {
  const ifRange = header(headers, "if-range");
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === `"${object.etag}"`;
  return Date.parse(ifRange) === wholeSeconds(object.lastModified);
}

function namesTag(text: string, etag: string): boolean {
  return text.split(",").some((part) => {
    const tag = part
      .trim()
      .replace(/^W\//, "")
      .replace(/^"(.*)"$/, "$1");
    return tag === "*" || tag === etag;
  });
}

/** Null when there is no date to compare with. HTTP dates are whole seconds. */
function changedSince(object: Pick<ObjectInfo, "lastModified">, date: string | undefined): boolean | null {
  const since = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(since) ? null : wholeSeconds(object.lastModified) > since;
}

const wholeSeconds = (at: number): number => Math.floor(at / 1000) * 1000;
