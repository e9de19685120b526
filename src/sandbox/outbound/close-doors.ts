import { execFile } from "node:child_process";
import { type BlockedNetwork, GROUPS } from "./blocked-networks.ts";
import type { NamespaceTools } from "./find-tools.ts";

export interface Doors {
  readonly tools: NamespaceTools;
  /** A process in the network namespace. */
  readonly pid: number;
  /** Who sets the rules; null for who the server is. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** What is not reached. */
  readonly blocked: readonly BlockedNetwork[];
  /** Lines of a shell to run before, in the namespace. */
  readonly first: readonly string[];
  /** The process has a user namespace of its own, which owns the network's. */
  readonly ownsUserNamespace: boolean;
}

const WITHIN_MS = 10_000;

/** Sets rules in a network namespace, which no script can change. They count whatever device a program binds to, as routes would not.
 *  @returns why they could not be set; null when they are */
export async function closeDoors({
  tools,
  pid,
  user,
  blocked,
  first,
  ownsUserNamespace,
}: Doors): Promise<string | null> {
  const script = [
    "set -e",
    ...first,
    rules(tools.ip, blocked, 4),
    "[ -e /proc/net/if_inet6 ] || exit 0",
    rules(tools.ip, blocked, 6),
  ].join("\n");
  const namespaces = ownsUserNamespace ? ["-U", "-n", "--preserve-credentials"] : ["-n"];
  return await new Promise((resolve) => {
    const options = {
      timeout: WITHIN_MS,
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      ...(user ?? {}),
    };
    const args = ["-t", String(pid), ...namespaces, "/bin/sh", "-c", script];
    execFile(tools.nsenter, args, options, (error, _out, errors) => {
      resolve(error === null ? null : errors.trim().split("\n")[0] || error.message);
    });
  });
}

/** ICMP's question for a neighbour, which goes to a group (RFC 4861). */
const NEIGHBOUR = 135;

/** A line of the shell. Where a program names the device, the kernel sends to a group without looking at rules or routes; its policies for IPsec, which
 *  nobody changes without rights in the namespace, count there too. */
function rules(ip: string, blocked: readonly BlockedNetwork[], family: BlockedNetwork["family"]): string {
  const of = (networks: readonly BlockedNetwork[]): string[] =>
    networks.filter((network) => network.family === family).map(({ network }) => network);
  const commands = [
    ...of(blocked).map((network) => `rule add to ${network} prohibit pref 10`),
    ...of(GROUPS).map((network) => `xfrm policy add dir out dst ${network} action block priority 2`),
    ...(family === 6
      ? [`xfrm policy add dir out proto ipv6-icmp type ${NEIGHBOUR} code 0 action allow priority 1`]
      : []),
  ];
  return `${ip} -${family} -batch - <<'END'\n${commands.join("\n")}\nEND`;
}
