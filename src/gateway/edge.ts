import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { SluiceError } from "../core/errors.ts";

const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
const WILDCARDS: readonly string[] = ["0.0.0.0", "::", ""];

/** What a request may name as this server. */
export interface Edge {
  /** @throws SluiceError HOST_REFUSED, CROSS_SITE */
  check(method: string, headers: IncomingHttpHeaders): void;
}

/** Loopback is not a boundary: a page of any site can make a browser on this machine call us, under a name of its own that it points at
 *  127.0.0.1. So only names of this server are answered, and pages of other sites change nothing.
 *  Names are compared without their ports: a tunnel or a container maps those. */
export function createEdge(boundHost: string, publicUrls: readonly string[]): Edge {
  const urls = publicUrls.map((url) => new URL(url));
  const names = new Set(["localhost", bareHost(boundHost), ...urls.map((url) => bareHost(url.hostname))]);
  const origins = new Set(urls.map((url) => url.origin));
  const anyAddress = WILDCARDS.includes(boundHost);
  return {
    check(method, headers) {
      if (!answersTo(headers.host, names, anyAddress)) throw hostRefused(headers.host);
      if (!SAFE_METHODS.includes(method) && isCrossSite(headers, origins)) throw crossSite(headers);
    },
  };
}

function answersTo(header: string | undefined, names: ReadonlySet<string>, anyAddress: boolean): boolean {
  const host = hostOfHeader(header);
  if (host === null) return false;
  if (names.has(host) || isLoopback(host)) return true;
  // An address cannot be pointed elsewhere by its owner's name server, and a wildcard listens on all that this machine has.
  return anyAddress && isIP(host) !== 0;
}

/** The host of a Host header, lower case, without port, brackets or final dot; null when it is none. */
function hostOfHeader(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(:\d{1,5})?$/i.exec(header ?? "");
  return match === null ? null : bareHost(match[1] ?? "");
}

const bareHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");

const isLoopback = (host: string): boolean => host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

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
