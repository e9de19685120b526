import type { HeaderTable } from "./canonical-request.ts";
import { checksumAlgorithm, createChecksum } from "./checksums.ts";
import type { QueryPair } from "./uri-encoding.ts";

/** Parameters that are about the signature alone. */
const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "x-amz-algorithm",
  "x-amz-content-sha256",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expires",
  "x-amz-security-token",
  "x-amz-signature",
  "x-amz-signedheaders",
]);

const ASKED_CHECKSUM = "x-amz-sdk-checksum-algorithm";

/** The headers of a presigned request with those that its signer put into the address, which are as good as sent: metadata, tags, a copy's source.
 *  What is sent as a header too stays as it was sent; it is signed like the parameter.
 *
 *  AWS's SDK for JavaScript signs an address before there is a body, and puts the checksum of no bytes into it: that one is left out, or no
 *  body could be sent. */
export function withParameters(headers: HeaderTable, query: readonly QueryPair[]): HeaderTable {
  const asked = query.some(([name]) => name.toLowerCase() === ASKED_CHECKSUM);
  const all = new Map(headers);
  for (const [written, value] of query) {
    const name = written.toLowerCase();
    if (!name.startsWith("x-amz-") || SIGNATURE_PARAMETERS.has(name) || headers.has(name)) continue;
    if (asked && isChecksumOfNothing(name, value)) continue;
    // Header values are one character a byte.
    all.set(name, [...(all.get(name) ?? []), Buffer.from(value, "utf8").toString("latin1")]);
  }
  return all;
}

function isChecksumOfNothing(name: string, value: string): boolean {
  const algorithm = checksumAlgorithm(name);
  return algorithm !== null && createChecksum(algorithm).digest().toString("base64") === value;
}
