import type { IncomingHttpHeaders } from "node:http";
import { parseAuthorization } from "../identity/http-auth.ts";
import type { Identity } from "../identity/identity.ts";
import type { Caller } from "./route.ts";

/** Who sent these headers: Basic user and password, or a Bearer token. Null when there is no credential or it is wrong. */
export async function authenticate(identity: Identity, headers: IncomingHttpHeaders): Promise<Caller | null> {
  const claim = parseAuthorization(headers.authorization);
  if (claim === null) return null;
  if (claim.scheme === "bearer") return identity.bearer(claim.token);
  const principal = await identity.basic(claim.user, claim.password);
  return principal === null ? null : { principal, lineage: null };
}
