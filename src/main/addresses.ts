import { isIP } from "node:net";

const WILDCARDS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1" };

/** The address by which this machine reaches a port that is bound to `host`: a wildcard is no address to connect to. */
export function reachableUrl(host: string, port: number, secure = false): string {
  const name = WILDCARDS[host] ?? (isIP(host) === 6 ? `[${host}]` : host);
  return `http${secure ? "s" : ""}://${name}:${port}`;
}

/** The host name of a URL, without a port. */
export const hostOf = (url: string): string => new URL(url).hostname;
