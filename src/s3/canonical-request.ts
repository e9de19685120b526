import { encodeUriComponent, encodeUriPath, type QueryPair } from "./uri-encoding.ts";

/** The parts of a request that a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Decoded path: `/bucket/key`. */
  readonly path: string;
  /** Decoded parameters in any order. */
  readonly query: readonly QueryPair[];
  readonly headers: HeaderTable;
}

/** Headers by lower-case name; each value as it stood on the wire, one character a byte. */
export type HeaderTable = ReadonlyMap<string, readonly string[]>;

/** Builds a HeaderTable of Node's `rawHeaders`, which alone keep repeated headers apart. */
export function headerTable(rawHeaders: readonly string[]): HeaderTable {
  const table = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? "").toLowerCase();
    const value = rawHeaders[i + 1] ?? "";
    const values = table.get(name);
    if (values === undefined) table.set(name, [value]);
    else values.push(value);
  }
  return table;
}

/** The first value of a header, or undefined. */
export function header(headers: HeaderTable, name: string): string | undefined {
  return headers.get(name)?.[0];
}

/** The text whose hash is signed. Its characters are bytes: hash it as latin1.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  let headers = "";
  for (const name of signedHeaders) headers += `${name}:${canonicalValue(request.headers.get(name) ?? [])}\n`;
  const query = canonicalQuery(request.query);
  const names = signedHeaders.join(";");
  return `${request.method}\n${encodeUriPath(request.path)}\n${query}\n${headers}\n${names}\n${payloadHash}`;
}

/** A presigned address cannot sign its own signature. */
const SIGNATURE_PARAMETER = "X-Amz-Signature";

function canonicalQuery(query: readonly QueryPair[]): string {
  if (query.length === 0) return "";
  return query
    .filter(([name]) => name !== SIGNATURE_PARAMETER)
    .map(([name, value]) => [encodeUriComponent(name), encodeUriComponent(value)] as const)
    .toSorted(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** Encoded text is ASCII, where JavaScript's order is the order of bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function canonicalValue(values: readonly string[]): string {
  if (values.length === 1) return trimAll(values[0] ?? "");
  return values.map(trimAll).join(",");
}

/** No space at either end, runs of spaces and tabs become one space. */
function trimAll(value: string): string {
  const trimmed = value.trim();
  return trimmed.includes("  ") || trimmed.includes("\t") ? trimmed.replace(/[ \t]+/g, " ") : trimmed;
}
