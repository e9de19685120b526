import type { IncomingHttpHeaders } from "node:http";
import type { Identity } from "../identity/identity.ts";
import type { Caller } from "./route.ts";

/** Who sent these headers: Basic user and password, or a Bearer token. Null when there is no credential or it is wrong. */
export async function authenticate(identity: Identity, headers: IncomingHttpHeaders): Promise<Caller | null> {
  const match = /^(Basic|Bearer)[ ]+(\S+)[ ]*$/i.exec(headers.authorization ?? "");
  if (match === null) return null;
  const [, scheme = "", value = ""] = match;
  return scheme.toLowerCase() === "basic" ? fromBasic(identity, value) : fromBearer(identity, value);
}

async function fromBasic(identity: Identity, value: string): Promise<Caller | null> {
  const decoded = Buffer.from(value, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) return null;
  const principal = await identity.basic(decoded.slice(0, colon), decoded.slice(colon + 1));
  return principal === null ? null : { principal, lineage: null };
}

async function fromBearer(identity: Identity, token: string): Promise<Caller | null> {
  const holder = await identity.bearer(token);
  return holder === null ? null : { principal: holder.principal, lineage: holder.lineage };
}
