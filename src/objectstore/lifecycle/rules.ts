import { s3Error } from "../../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../../s3/xml-element.ts";

const DAY_MS = 86_400_000;
const MAX_RULES = 1000;
const MAX_ID_CHARACTERS = 255;

/** Which objects a rule is about. */
export interface LifecycleFilter {
  readonly prefix: string;
  readonly tags: ReadonlyArray<readonly [key: string, value: string]>;
  /** Bytes; the object must have more, and less. */
  readonly largerThan: number | null;
  readonly smallerThan: number | null;
}

/** One rule. What is null is not asked for; days are whole. */
export interface LifecycleRule {
  readonly enabled: boolean;
  readonly filter: LifecycleFilter;
  readonly expiration: { readonly days: number } | { readonly at: number } | { readonly deleteMarkers: boolean } | null;
  readonly noncurrent: { readonly days: number; readonly keep: number } | null;
  readonly abortAfterDays: number | null;
}

/** Reads a `LifecycleConfiguration`. @throws SluiceError S3 MalformedXML, InvalidArgument, NotImplemented
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html */
export function readLifecycle(root: XmlElement): LifecycleRule[] {
  const rules = childrenNamed(root, "Rule");
  if (rules.length === 0 || rules.length > MAX_RULES)
    throw malformed(`it has ${rules.length} rules, not 1 to ${MAX_RULES}`);
  const ids = rules.map((rule) => childText(rule, "ID") ?? "").filter((id) => id !== "");
  if (new Set(ids).size < ids.length) throw invalid("two rules have the same ID");
  if (ids.some((id) => [...id].length > MAX_ID_CHARACTERS))
    throw invalid(`an ID has more than ${MAX_ID_CHARACTERS} characters`);
  return rules.map(readRule);
}

function readRule(rule: XmlElement): LifecycleRule {
  const status = childText(rule, "Status");
  if (status !== "Enabled" && status !== "Disabled")
    throw malformed('a rule\'s Status is neither "Enabled" nor "Disabled"');
  for (const name of ["Transition", "NoncurrentVersionTransition"]) {
    if (childrenNamed(rule, name).length > 0) {
      throw s3Error("NotImplemented", `Cannot keep the lifecycle: there is one storage class, so no ${name}`);
    }
  }
  const read = {
    enabled: status === "Enabled",
    filter: readFilter(rule),
    expiration: readExpiration(rule),
    noncurrent: readNoncurrent(rule),
    abortAfterDays: readAbort(rule),
  };
  if (read.expiration === null && read.noncurrent === null && read.abortAfterDays === null) {
    throw malformed("a rule says nothing to do");
  }
  return read;
}

/** The filter in its three forms: old (`Prefix` in the rule), one condition, or several under `And`. */
function readFilter(rule: XmlElement): LifecycleFilter {
  const [filter] = childrenNamed(rule, "Filter");
  const [and] = filter === undefined ? [] : childrenNamed(filter, "And");
  const from = and ?? filter ?? rule;
  const conditions = from.children.filter(({ name }) => FILTER_NAMES.has(name));
  if (filter !== undefined && and === undefined && conditions.length > 1)
    throw malformed("a Filter has several conditions without And");
  const tags = childrenNamed(from, "Tag").map((tag): [string, string] => [
    childText(tag, "Key") ?? "",
    childText(tag, "Value") ?? "",
  ]);
  return {
    prefix: childText(from, "Prefix") ?? "",
    tags,
    largerThan: wholeOrNull(from, "ObjectSizeGreaterThan", 0),
    smallerThan: wholeOrNull(from, "ObjectSizeLessThan", 1),
  };
}

const FILTER_NAMES = new Set(["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]);

function readExpiration(rule: XmlElement): LifecycleRule["expiration"] {
  const [expiration] = childrenNamed(rule, "Expiration");
  if (expiration === undefined) return null;
  const days = wholeOrNull(expiration, "Days", 1);
  const date = childText(expiration, "Date");
  const markers = childText(expiration, "ExpiredObjectDeleteMarker");
  if ([days, date, markers].filter((each) => each !== undefined && each !== null).length !== 1) {
    throw malformed("an Expiration must have one of Days, Date and ExpiredObjectDeleteMarker");
  }
  if (days !== null) return { days };
  if (markers !== undefined) return { deleteMarkers: markers.trim() === "true" };
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) throw malformed("an Expiration's Date is none");
  if (at % DAY_MS !== 0) throw invalid("an Expiration's Date must be at midnight UTC");
  return { at };
}

function readNoncurrent(rule: XmlElement): LifecycleRule["noncurrent"] {
  const [noncurrent] = childrenNamed(rule, "NoncurrentVersionExpiration");
  if (noncurrent === undefined) return null;
  const days = wholeOrNull(noncurrent, "NoncurrentDays", 1);
  if (days === null) throw malformed("a NoncurrentVersionExpiration has no NoncurrentDays");
  return { days, keep: wholeOrNull(noncurrent, "NewerNoncurrentVersions", 1) ?? 0 };
}

function readAbort(rule: XmlElement): number | null {
  const [abort] = childrenNamed(rule, "AbortIncompleteMultipartUpload");
  if (abort === undefined) return null;
  const days = wholeOrNull(abort, "DaysAfterInitiation", 1);
  if (days === null) throw malformed("an AbortIncompleteMultipartUpload has no DaysAfterInitiation");
  return days;
}

function wholeOrNull(element: XmlElement, name: string, least: number): number | null {
  const text = childText(element, name)?.trim();
  if (text === undefined) return null;
  if (!/^\d{1,15}$/.test(text) || Number(text) < least) throw invalid(`${name} is not a whole number from ${least} on`);
  return Number(text);
}

function malformed(what: string): Error {
  return s3Error("MalformedXML", `Cannot keep the lifecycle: ${what}`);
}

function invalid(what: string): Error {
  return s3Error("InvalidArgument", `Cannot keep the lifecycle: ${what}`);
}
