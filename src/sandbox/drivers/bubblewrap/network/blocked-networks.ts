import { networkInterfaces } from "node:os";

export interface BlockedNetwork {
  readonly family: 4 | 6;
  /** `address/bits`. */
  readonly network: string;
}

/** Link-local addresses, and where clouds hand out credentials. */
const ALWAYS: readonly BlockedNetwork[] = [
  { family: 4, network: "169.254.0.0/16" },
  { family: 4, network: "100.100.100.200/32" },
  { family: 4, network: "127.0.0.0/8" },
  { family: 6, network: "fe80::/10" },
  { family: 6, network: "fd00:ec2::/32" },
];

/** What no sandbox with an outbound network reaches: this machine's own addresses, link-local and metadata ones (decision 9). Loopback addresses of
 *  the sandbox itself are found before any rule. */
export function blockedNetworks(): BlockedNetwork[] {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address, family }): BlockedNetwork => {
      const bare = address.split("%")[0] ?? address;
      return family === "IPv4" ? { family: 4, network: `${bare}/32` } : { family: 6, network: `${bare}/128` };
    })
    .filter(({ network }) => !network.startsWith("fe80:"));
  return [...ALWAYS, ...own];
}
