import { readFileSync } from "node:fs";

export interface BlockedNetwork {
  readonly family: 4 | 6;
  /** `address/bits`. */
  readonly network: string;
}

/** Link-local addresses, where clouds hand out credentials, and what the machine's neighbours or its own programs hear as a group. */
const ALWAYS: readonly BlockedNetwork[] = [
  { family: 4, network: "169.254.0.0/16" },
  { family: 4, network: "100.100.100.200/32" },
  { family: 4, network: "127.0.0.0/8" },
  { family: 4, network: "255.255.255.255/32" },
  { family: 6, network: "fe80::/10" },
  { family: 6, network: "fd00:ec2::/32" },
];

/** Groups of machines: nothing is sent to them, whatever device a program names for it. */
export const GROUPS: readonly BlockedNetwork[] = [
  { family: 4, network: "224.0.0.0/4" },
  { family: 6, network: "ff00::/8" },
];

/** What no sandbox with an outbound network reaches: this machine's own addresses, link-local and metadata ones (decision 9). Loopback addresses of
 *  the sandbox itself are found before any rule. */
export function blockedNetworks(): BlockedNetwork[] {
  const own = [...localNetworks4(read("fib_trie")), ...localNetworks6(read("if_inet6"), read("ipv6_route"))];
  const all = [...ALWAYS, ...own].map((blocked) => [blocked.network, blocked] as const);
  return [...new Map(all).values()];
}

/** What the kernel delivers to this machine itself, from its routes as `/proc/net/fib_trie` lists them: addresses of devices that are down or loop
 *  back count, which lists of addresses in use leave out. Broadcast addresses count too. */
export function localNetworks4(trie: string): BlockedNetwork[] {
  let address = "";
  const found = new Set<string>();
  for (const line of trie.split("\n")) {
    address = LEAF.exec(line)?.[1] ?? address;
    const bits = LOCAL_ROUTE.exec(line)?.[1];
    if (bits !== undefined && !address.startsWith("127.")) found.add(`${address}/${bits}`);
  }
  return [...found].map((network) => ({ family: 4, network }));
}

const LEAF = /\|-- ([\d.]+)$/;
const LOCAL_ROUTE = /^\s*\/(\d+) \w+ (?:LOCAL|BROADCAST)\b/;

/** The same of IPv6: `/proc/net/if_inet6` has the addresses of all devices, `/proc/net/ipv6_route` networks that are this machine's as a whole. */
export function localNetworks6(addresses: string, routes: string): BlockedNetwork[] {
  const found = new Set<string>();
  for (const line of addresses.split("\n")) if (line !== "") found.add(`${colons(line)}/128`);
  for (const line of routes.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const isLocal = (Number.parseInt(fields[ROUTE_FLAGS] ?? "0", 16) & RTF_LOCAL) !== 0;
    if (isLocal) found.add(`${colons(line)}/${Number.parseInt(fields[1] ?? "80", 16)}`);
  }
  const unneeded = (network: string): boolean => network.startsWith("fe80:") || network === LOOPBACK_6;
  return [...found].filter((network) => !unneeded(network)).map((network) => ({ family: 6, network }));
}

const LOOPBACK_6 = "0000:0000:0000:0000:0000:0000:0000:0001/128";
/** Place and bit of the kernel's `include/uapi/linux/ipv6_route.h`. */
const ROUTE_FLAGS = 8;
const RTF_LOCAL = 0x80000000;

const colons = (line: string): string => line.slice(0, 32).match(/.{4}/g)?.join(":") ?? "";

/** A machine without IPv6 has no such file. */
function read(name: string): string {
  try {
    return readFileSync(`/proc/net/${name}`, "latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
