/** What an Authorization header claims; nothing is checked yet. */
export type Claim =
  | { readonly scheme: "basic"; readonly user: string; readonly password: string }
  | { readonly scheme: "bearer"; readonly token: string };

/** Longer headers are no credential of ours. */
const MAX_HEADER_CHARACTERS = 8192;

/** Reads `Basic` and `Bearer` (RFC 7617, RFC 6750); null for anything else, however it is broken. */
export function parseAuthorization(header: string | undefined): Claim | null {
  if (header === undefined || header.length > MAX_HEADER_CHARACTERS) return null;
  const match = /^(basic|bearer) +(\S+) *$/i.exec(header);
  const [, scheme = "", value = ""] = match ?? [];
  if (scheme.toLowerCase() === "bearer") return { scheme: "bearer", token: value };
  if (scheme === "" || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return null;
  const text = Buffer.from(value, "base64").toString("utf8");
  const colon = text.indexOf(":");
  // A user name holds no colon; the password may.
  return colon < 0 ? null : { scheme: "basic", user: text.slice(0, colon), password: text.slice(colon + 1) };
}
