import type { IncomingHttpHeaders } from "node:http";
import { SluiceError } from "../core/errors.ts";
import { HostNames } from "../lib/host-names.ts";

const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** What a request may name as this server. */
export interface Edge {
  /** @throws SluiceError HOST_REFUSED, CROSS_SITE */
  check(method: string, headers: IncomingHttpHeaders): void;
}

/** Loopback is not a boundary: only names of this server are answered (see `HostNames`), and pages of other sites change nothing. */
export function createEdge(boundHost: string, publicUrls: readonly string[]): Edge {
  const urls = publicUrls.map((url) => new URL(url));
  const names = new HostNames([boundHost, ...urls.map((url) => url.hostname)]);
  const origins = new Set(urls.map((url) => url.origin));
  return {
    check(method, headers) {
      if (!names.answersTo(headers.host)) throw hostRefused(headers.host);
      if (!SAFE_METHODS.includes(method) && isCrossSite(headers, origins)) throw crossSite(headers);
    },
  };
}

/** Browsers say where a call comes from: `Sec-Fetch-Site` where they are new enough, `Origin` always for calls that change something.
 *  Programs send neither. A same-site page (another port of localhost) is another program's page. */
function isCrossSite(headers: IncomingHttpHeaders, origins: ReadonlySet<string>): boolean {
  const { origin } = headers;
  if (origin !== undefined && origins.has(origin)) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  return origin !== undefined && !isOwnOrigin(origin, headers.host);
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  if (!URL.canParse(origin) || host === undefined) return false;
  const { protocol, host: originHost } = new URL(origin);
  return (protocol === "http:" || protocol === "https:") && new URL(`${protocol}//${host}`).host === originHost;
}

function hostRefused(header: string | undefined): SluiceError {
  return new SluiceError(
    "HOST_REFUSED",
    `Cannot answer as "${printable(header)}": this server has no such name (use its address, or start it with --public-url)`,
  );
}

function crossSite(headers: IncomingHttpHeaders): SluiceError {
  const from = headers.origin === undefined ? "another site" : `"${printable(headers.origin)}"`;
  return new SluiceError(
    "CROSS_SITE",
    `Cannot change anything for a page of ${from}: only pages of this server may (start it with --public-url to add an address)`,
  );
}

const printable = (text: string | undefined): string => (text ?? "").slice(0, 100).replace(/[^\x20-\x7e]|"/g, "?");
