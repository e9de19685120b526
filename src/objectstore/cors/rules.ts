import { s3Error } from "../../s3/errors.ts";
import { childrenNamed, childText, type XmlElement } from "../../s3/xml-element.ts";

const MAX_RULES = 100;
const METHODS = new Set(["GET", "PUT", "HEAD", "POST", "DELETE"]);

/** Who may call a bucket from a page of another site, and how. */
export interface CorsRule {
  /** Each may hold one `*`. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Lower-case; each may hold one `*`. */
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly maxAgeSeconds: number | null;
}

/** Reads a `CORSConfiguration`. @throws SluiceError S3 MalformedXML, InvalidRequest
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html */
export function readCors(root: XmlElement): CorsRule[] {
  const rules = childrenNamed(root, "CORSRule");
  if (rules.length === 0 || rules.length > MAX_RULES)
    throw malformed(`it has ${rules.length} rules, not 1 to ${MAX_RULES}`);
  return rules.map(readRule);
}

function readRule(rule: XmlElement): CorsRule {
  const texts = (name: string): string[] => childrenNamed(rule, name).map(({ text }) => text.trim());
  const origins = texts("AllowedOrigin");
  const methods = texts("AllowedMethod");
  const allowedHeaders = texts("AllowedHeader").map((name) => name.toLowerCase());
  const exposedHeaders = texts("ExposeHeader");
  if (origins.length === 0 || methods.length === 0) throw malformed("a rule has no AllowedOrigin or no AllowedMethod");
  const wrong = methods.find((method) => !METHODS.has(method));
  if (wrong !== undefined) throw invalid(`AllowedMethod "${wrong}" is none of ${[...METHODS].join(", ")}`);
  if ([...origins, ...allowedHeaders].some((text) => text.split("*").length > 2))
    throw invalid("more than one * in a value");
  if ([...origins, ...allowedHeaders, ...exposedHeaders].some((text) => !/^[\x21-\x7e]+$/.test(text))) {
    throw invalid("a value is empty or not printable ASCII");
  }
  if (exposedHeaders.some((name) => name.includes("*"))) throw invalid("ExposeHeader takes no *");
  return {
    origins,
    methods,
    allowedHeaders,
    exposedHeaders,
    maxAgeSeconds: readMaxAge(childText(rule, "MaxAgeSeconds")),
  };
}

function readMaxAge(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text.trim())) throw malformed("MaxAgeSeconds is no number");
  return Number(text);
}

function malformed(what: string): Error {
  return s3Error("MalformedXML", `Cannot keep the CORS configuration: ${what}`);
}

function invalid(what: string): Error {
  return s3Error("InvalidRequest", `Cannot keep the CORS configuration: ${what}`);
}
