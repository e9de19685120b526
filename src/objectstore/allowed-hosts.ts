import { isIP } from "node:net";
import { s3Error } from "../s3/errors.ts";

const WILDCARDS = new Set(["0.0.0.0", "::", ""]);

/** Checks Host headers (decision 18): a page of any site can make a browser on this machine call 127.0.0.1 under a name of its own, so only
 *  loopback names, the bound address and configured names are answered. Ports are not compared: a tunnel or a container maps those. */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  /** Header texts that were accepted: clients send few different ones. */
  readonly #accepted = new Set<string>();

  /** @param hosts the bound host and the hosts of public addresses; a wildcard allows every IP address, which no name server can give away */
  constructor(hosts: readonly string[]) {
    const names = hosts.map(bareHost);
    this.#anyAddress = names.some((name) => WILDCARDS.has(name));
    this.#names = new Set(["localhost", ...names.filter((name) => !WILDCARDS.has(name))]);
  }

  /** @throws SluiceError HOST_REFUSED */
  check(header: string | undefined): void {
    if (header !== undefined && this.#accepted.has(header)) return;
    if (header === undefined || !this.#answersTo(header)) {
      throw s3Error(
        "MisdirectedRequest",
        "Cannot answer under this Host name: this server has no such name (use its address, or start it with --s3-public-url)",
      );
    }
    if (this.#accepted.size < 64) this.#accepted.add(header);
  }

  #answersTo(header: string): boolean {
    const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(:\d{1,5})?$/i.exec(header);
    if (match === null) return false;
    const host = bareHost(match[1] ?? "");
    return this.#names.has(host) || isLoopback(host) || (this.#anyAddress && isIP(host) !== 0);
  }
}

const bareHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");

const isLoopback = (host: string): boolean => host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
