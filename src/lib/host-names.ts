import { isIP } from "node:net";

const WILDCARDS: readonly string[] = ["0.0.0.0", "::", ""];
/** Header texts that are remembered as answered: clients send few different ones. */
const MOST_KNOWN = 64;

/** The names that a server answers to (decision 18). Loopback is not a boundary: a page of any site can make a browser on this machine call
 *  127.0.0.1 under a name of its own that it points there. So only loopback names, the bound address and configured names are answered.
 *  Ports are not compared: a tunnel or a container maps those. */
export class HostNames {
  readonly #names: ReadonlySet<string>;
  readonly #domains: readonly string[];
  readonly #anyAddress: boolean;
  readonly #known = new Set<string>();

  /** @param hosts the bound host and the hosts of public addresses, without ports. A wildcard allows every IP address: it listens on all that
   *  this machine has, and no name server can point an address elsewhere
   *  @param domains lower case; they and every name below them are answered too. Default: none */
  constructor(hosts: readonly string[], domains: readonly string[] = []) {
    this.#domains = domains;
    const names = hosts.map(bareHost);
    this.#anyAddress = names.some(isWildcard);
    this.#names = new Set(["localhost", ...names.filter((name) => !isWildcard(name))]);
  }

  /** Whether a request with this Host header is for this server. */
  answersTo(header: string | undefined): boolean {
    if (header === undefined) return false;
    if (this.#known.has(header)) return true;
    const host = hostOfHeader(header);
    if (host === null || !this.#has(host)) return false;
    if (this.#known.size < MOST_KNOWN) this.#known.add(header);
    return true;
  }

  #has(host: string): boolean {
    if (this.#domains.some((domain) => host === domain || host.endsWith(`.${domain}`))) return true;
    return this.#names.has(host) || isLoopback(host) || (this.#anyAddress && isIP(host) !== 0);
  }
}

/** The host of a Host header, lower case, without port, brackets or final dot; null when it is none. */
export function hostOfHeader(header: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(:\d{1,5})?$/i.exec(header);
  return match === null ? null : bareHost(match[1] ?? "");
}

const bareHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");

const isWildcard = (host: string): boolean => WILDCARDS.includes(host);

const isLoopback = (host: string): boolean => host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
