import { s3Error } from "./errors.ts";

/** One thing that a form must be. Field names are lower-case. */
interface Condition {
  readonly operator: "eq" | "starts-with";
  readonly field: string;
  readonly value: string;
}

/** What the owner of a key allows a form to do: whoever has the form can change everything else of it. */
export interface PostPolicy {
  /** UTC ms. */
  readonly expiresAt: number;
  readonly conditions: readonly Condition[];
  /** Of the file. */
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Reads a policy as it stands in the form: base64 of JSON.
 *  @throws SluiceError S3 InvalidPolicyDocument
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html */
export function readPostPolicy(base64: string): PostPolicy {
  const document = parse(base64);
  const expiresAt = readExpiration(document.expiration);
  if (!Array.isArray(document.conditions)) throw invalid("it has no list of conditions");
  const conditions: Condition[] = [];
  let [minBytes, maxBytes] = [0, Number.MAX_SAFE_INTEGER];
  for (const each of document.conditions) {
    const range = readRange(each);
    if (range === null) conditions.push(readCondition(each));
    else {
      minBytes = Math.max(minBytes, range[0]);
      maxBytes = Math.min(maxBytes, range[1]);
    }
  }
  return { expiresAt, conditions, minBytes, maxBytes };
}

/** Fields that need no condition. The bucket is where the form was sent to, whatever it says itself. */
const FREE_FIELDS: ReadonlySet<string> = new Set(["policy", "x-amz-signature", "file", "bucket"]);

/** Lets a form through or throws. Every condition must hold, and every field must have one: what nobody thought of is not allowed.
 *  @param fields by lower-case name, with `${filename}` put in
 *  @throws SluiceError S3 AccessDenied */
export function checkPostPolicy(
  policy: PostPolicy,
  fields: ReadonlyMap<string, string>,
  bucket: string,
  now: number,
): void {
  if (now > policy.expiresAt) {
    const [expires, server] = [new Date(policy.expiresAt).toISOString(), new Date(now).toISOString()];
    throw denied(`its policy expired at ${expires} and the server's clock says ${server}`);
  }
  const said = (field: string): string | undefined => (field === "bucket" ? bucket : fields.get(field));
  const failed = policy.conditions.find((condition) => !holds(condition, said(condition.field)));
  if (failed !== undefined) {
    throw denied(`the policy's condition "${failed.operator}" on "${failed.field}" does not hold`);
  }
  const covered = new Set(policy.conditions.map(({ field }) => field));
  const extra = [...fields.keys()].find(
    (name) => !covered.has(name) && !FREE_FIELDS.has(name) && !name.startsWith("x-ignore-"),
  );
  if (extra !== undefined) throw denied(`the policy has no condition on its field "${extra.slice(0, 64)}"`);
}

function holds({ operator, field, value }: Condition, said: string | undefined): boolean {
  if (said === undefined) return false;
  if (operator === "eq") return said === value;
  // A list of types is as good as its worst.
  const parts = field === "content-type" ? said.split(",").map((part) => part.trim()) : [said];
  return parts.every((part) => part.startsWith(value));
}

function parse(base64: string): { readonly expiration?: unknown; readonly conditions?: unknown } {
  const text = base64.replace(/\s/g, "");
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.toString("base64") !== text) throw invalid("it is not base64");
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw invalid("it is no JSON");
  }
  if (document === null || typeof document !== "object" || Array.isArray(document)) throw invalid("it is no object");
  return document;
}

function readExpiration(text: unknown): number {
  const written = typeof text === "string" ? text : "";
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(at)) throw invalid("its expiration is no time like 2030-12-01T12:00:00.000Z");
  return at;
}

/** `["content-length-range", least, most]`, or null when the condition is another. */
function readRange(condition: unknown): readonly [number, number] | null {
  if (!Array.isArray(condition) || String(condition[0]).toLowerCase() !== "content-length-range") return null;
  const [least = -1, most = -1] = condition.slice(1).map(sizeOf);
  if (condition.length !== 3 || least < 0 || most < least) {
    throw invalid("a content-length-range is not two numbers of bytes in order");
  }
  return [least, most];
}

function sizeOf(value: unknown): number {
  const written = typeof value === "number" || typeof value === "string" ? String(value) : "";
  return /^\d{1,15}$/.test(written) ? Number(written) : -1;
}

/** `{"field": "value"}`, `["eq", "$field", "value"]` or `["starts-with", "$field", "start"]`. */
function readCondition(condition: unknown): Condition {
  if (Array.isArray(condition)) return readTriple(condition);
  const pairs = condition !== null && typeof condition === "object" ? Object.entries(condition) : [];
  const [pair] = pairs;
  if (pairs.length !== 1 || pair === undefined || typeof pair[1] !== "string") {
    throw invalid("a condition is neither a list of three nor one name with one text");
  }
  return { operator: "eq", field: pair[0].toLowerCase(), value: pair[1] };
}

function readTriple(triple: readonly unknown[]): Condition {
  const [operator, field, value] = triple.map((each) => (typeof each === "string" ? each : ""));
  const known = operator?.toLowerCase();
  if (triple.length !== 3 || typeof triple[2] !== "string" || (known !== "eq" && known !== "starts-with")) {
    throw invalid("a condition is none of eq, starts-with and content-length-range");
  }
  if (field === undefined || !/^\$./.test(field)) throw invalid('the field of a condition does not begin with "$"');
  return { operator: known, field: field.slice(1).toLowerCase(), value: value ?? "" };
}

function invalid(what: string): Error {
  return s3Error("InvalidPolicyDocument", `Cannot use the form's policy: ${what}`);
}

function denied(what: string): Error {
  return s3Error("AccessDenied", `Cannot store the form: ${what}`);
}
