import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Who sent a request, as far as it can be known. */
export interface Peer {
  /** An IP address; empty when the connection is gone. */
  readonly address: string;
  /** Whether the sender's own connection is encrypted. */
  readonly secure: boolean;
}

/** Proxies whose word counts. Everybody can send X-Forwarded headers, so they are read only from these: the sender is the last address in
 *  X-Forwarded-For that is no proxy of ours, and X-Forwarded-Proto says how it came. Without them, or with values that are no addresses, the
 *  sender is who opened the connection. */
export class Proxies {
  readonly #trusted = new BlockList();
  readonly #none: boolean;

  /** @param networks addresses and networks (`10.0.0.0/8`), checked by the configuration */
  constructor(networks: readonly string[]) {
    this.#none = networks.length === 0;
    for (const network of networks) {
      const [address = "", bits] = network.split("/");
      const family = familyOf(address);
      this.#trusted.addSubnet(address, bits === undefined ? FULL[family] : Number(bits), family);
    }
  }

  peerOf({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">): Peer {
    const direct = {
      address: plain(socket.remoteAddress ?? ""),
      secure: "encrypted" in socket && socket.encrypted === true,
    };
    if (this.#none || !this.#isTrusted(direct.address)) return direct;
    const hops = listed(headers["x-forwarded-for"]).map(plain);
    const at = hops.findLastIndex((hop) => !this.#isTrusted(hop));
    const address = hops[Math.max(0, at)] ?? direct.address;
    const protocols = listed(headers["x-forwarded-proto"]);
    const protocol = (protocols.length === hops.length ? protocols[Math.max(0, at)] : protocols.at(-1))?.toLowerCase();
    return {
      address: isIP(address) === 0 ? direct.address : address,
      secure: protocol === undefined ? direct.secure : protocol === "https",
    };
  }

  #isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.#trusted.check(address, familyOf(address));
  }
}

const FULL = { ipv4: 32, ipv6: 128 } as const;

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Without brackets, port, or the prefix that an IPv6 socket puts before IPv4 addresses. */
function plain(address: string): string {
  const bare = /^\[(.*)\](:\d+)?$/.exec(address)?.[1] ?? address.replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1");
  return bare.replace(/^::ffff:(?=\d+\.)/i, "");
}

function listed(header: string | readonly string[] | undefined): string[] {
  const text = typeof header === "string" ? header : (header ?? []).join(",");
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
