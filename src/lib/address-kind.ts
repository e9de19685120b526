import { BlockList, isIPv4, isIPv6 } from "node:net";

/** What an address leads to. `metadata` is where clouds hand credentials to whoever runs on their machines. */
export type AddressKind = "loopback" | "link-local" | "metadata" | "unspecified" | "multicast" | "private" | "public";

const METADATA = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "100.100.100.200",
  "fd00:ec2::254",
  "fd00:ec2::23",
];

/** In the order in which they are asked. @see IANA special-purpose address registries (RFC 6890) */
const KINDS: readonly (readonly [AddressKind, BlockList])[] = [
  ["metadata", listOf(METADATA.map((address) => `${address}/${isIPv4(address) ? 32 : 128}`))],
  ["unspecified", listOf(["0.0.0.0/8", "::/128"])],
  ["loopback", listOf(["127.0.0.0/8", "::1/128"])],
  ["link-local", listOf(["169.254.0.0/16", "fe80::/10"])],
  ["multicast", listOf(["224.0.0.0/4", "255.255.255.255/32", "ff00::/8"])],
  [
    "private",
    listOf([
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
      "192.0.0.0/24",
      "198.18.0.0/15",
      "fc00::/7",
      "fec0::/10",
    ]),
  ],
];

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    list.addSubnet(address, Number(prefix), isIPv4(address) ? "ipv4" : "ipv6");
  }
  return list;
}

/** @param address as a name server or the system gives it: no host name; an IPv6 zone is ignored */
export function addressKind(address: string): AddressKind {
  const bare = address.split("%")[0] ?? "";
  const inner = isIPv6(bare) ? embeddedIPv4(bare) : null;
  if (inner !== null) return addressKind(inner);
  const family = isIPv4(bare) ? "ipv4" : "ipv6";
  return KINDS.find(([, list]) => list.check(bare, family))?.[0] ?? "public";
}

/** Prefixes under which an IPv6 address is an IPv4 one: mapped, compatible, translated (NAT64, with its local prefix), 6to4. Where it stands in the
 *  eight groups. */
const EMBEDDING: readonly { readonly network: BlockList; readonly group: number }[] = [
  { network: listOf(["::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96"]), group: 6 },
  { network: listOf(["2002::/16"]), group: 1 },
];
const COMPATIBLE = listOf(["::/96"]);

function embeddedIPv4(address: string): string | null {
  const found = EMBEDDING.find(({ network }) => network.check(address, "ipv6"));
  const isCompatible = found === undefined && COMPATIBLE.check(address, "ipv6") && !["::", "::1"].includes(address);
  if (found === undefined && !isCompatible) return null;
  const groups = groupsOf(address);
  const at = found?.group ?? 6;
  const [high = 0, low = 0] = [groups[at], groups[at + 1]];
  if (isCompatible && high === 0 && low <= 1) return null;
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight 16-bit groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = "", a = 0, b = 0, c = 0, d = 0] = dotted ?? [];
  const hex = (high: unknown, low: unknown): string => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted === null ? address : `${head}${hex(a, b)}:${hex(c, d)}`;
  const [left = "", right] = text.split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill("0"), ...after].map((group) => Number.parseInt(group, 16));
}
