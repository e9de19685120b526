import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { SluiceError } from "../../../../core/errors.ts";
import type { BlockedNetwork } from "../../../outbound/blocked-networks.ts";
import { closeDoors } from "../../../outbound/close-doors.ts";
import type { OutboundTools } from "../../../outbound/find-tools.ts";
import type { SlotUser } from "../slot.ts";

/** The network that a sandbox sees, of a range that is for measuring devices and that nobody uses (RFC 2544): scripts reach the private networks of
 *  laboratories by their own addresses. The helper gives its own addresses these last parts. */
const NETWORK = "198.18.255.0/24";
export const NAME_SERVER = "198.18.255.3";
/** The helper's only IPv6 network. */
const ADDRESS_6 = "fd00::53c8/64";
const GATEWAY_6 = "fd00::2";
const DEVICE = "tap0";
const MTU = "65520";

const READY_WITHIN_MS = 10_000;

export interface OutboundOptions {
  readonly tools: OutboundTools;
  /** A process in the network namespace, whose user namespace owns it. */
  readonly pid: number;
  readonly user: SlotUser | null;
  /** What is not reached. */
  readonly blocked: readonly BlockedNetwork[];
}

/** Connects a network namespace with the world outside, but not with this machine: a helper in this machine's network hands on what programs inside
 *  send. It runs as the slot's user, and ends with this process, however that ends. */
export class Outbound {
  readonly #child: ChildProcess;
  readonly gone: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.gone = once(child, "exit").then(() => {});
  }

  /** @throws SluiceError SANDBOX_UNAVAILABLE */
  static async start(options: OutboundOptions): Promise<Outbound> {
    const { child, said } = spawnHelper(options);
    const outbound = new Outbound(child);
    try {
      await ready(child, said);
      await settle(options);
      for (const handle of [child, ...child.stdio]) (handle as { unref?: () => void } | null)?.unref?.();
      return outbound;
    } catch (error) {
      await outbound.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    this.#child.ref();
    this.#child.kill("SIGKILL");
    await this.gone;
  }
}

function spawnHelper({ tools, pid, user }: OutboundOptions): { child: ChildProcess; said: () => string } {
  const args = [
    "--configure",
    `--mtu=${MTU}`,
    `--cidr=${NETWORK}`,
    "--enable-ipv6",
    "--disable-host-loopback",
    "--enable-seccomp",
    ...["--ready-fd=3", "--exit-fd=4"],
    ...["--netns-type=path", `--userns-path=/proc/${pid}/ns/user`, `/proc/${pid}/ns/net`, DEVICE],
  ];
  const { program, argv, identity } = asUser(tools.slirp, args, user);
  const child = spawn(program, argv, {
    // The helper ends when descriptor 4 does.
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    detached: true,
    cwd: "/",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    ...identity,
  });
  let text = "";
  child.stderr?.on("data", (piece: Buffer) => {
    if (text.length < 2000) text += piece.toString();
  });
  (child.stdio[4] as Writable | null)?.on("error", () => {});
  return { child, said: () => text };
}

const TUN = "/dev/net/tun";
const OTHERS_READ_AND_WRITE = 0o006;

/** In a mount namespace of its own, where everybody may open the device. Root's rights end with the last line. */
const WITH_TUN = `mount -t tmpfs -o mode=755 none /dev/net && mknod -m 666 ${TUN} c 10 200 || exit 1
uid=$1 gid=$2
shift 2
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"`;

interface HelperCommand {
  readonly program: string;
  readonly argv: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

/** The device is for everybody on most machines (udev makes it so); where it is root's alone, root lends it. */
function asUser(slirp: string, args: readonly string[], user: SlotUser | null): HelperCommand {
  const stats = statSync(TUN, { throwIfNoEntry: false });
  const isOpen = stats === undefined || (stats.mode & OTHERS_READ_AND_WRITE) === OTHERS_READ_AND_WRITE;
  if (user === null || isOpen) return { program: slirp, argv: args, identity: user ?? {} };
  const shell = ["/bin/sh", "-c", WITH_TUN, "sluice-outbound", String(user.uid), String(user.gid), slirp, ...args];
  return { program: "unshare", argv: ["--mount", "--propagation", "private", "--", ...shell], identity: {} };
}

async function ready(child: ChildProcess, said: () => string): Promise<void> {
  const late = new AbortController();
  const failed = Promise.race([
    once(child, "error").then(([error]) => String(error)),
    once(child, "exit").then(() => `it ended at once: ${said().trim().split("\n").slice(-3).join("; ")}`),
    sleep(READY_WITHIN_MS, `it was not ready within ${READY_WITHIN_MS} ms`, { signal: late.signal, ref: false }),
  ]);
  failed.catch(() => {});
  const up = once(child.stdio[3] as Readable, "data").then(() => null);
  const why = await Promise.race([up, failed]);
  late.abort();
  if (why !== null) throw unavailable(why);
}

/** What the helper's device needs besides. */
async function settle(options: OutboundOptions): Promise<void> {
  const settings6 = `/proc/sys/net/ipv6/conf/${DEVICE}`;
  const { ip } = options.tools;
  const failed = await closeDoors({
    ...options,
    first: [
      `if [ -e ${settings6} ]; then`,
      `echo 0 >${settings6}/accept_ra`,
      `${ip} -6 addr add ${ADDRESS_6} dev ${DEVICE} nodad`,
      `${ip} -6 route add default via ${GATEWAY_6} dev ${DEVICE}`,
      "fi",
    ],
    ownsUserNamespace: true,
  });
  if (failed !== null) throw unavailable(`its rules cannot be set: ${failed}`);
}

function unavailable(why: string): SluiceError {
  return new SluiceError("SANDBOX_UNAVAILABLE", `Cannot start a sandbox's outbound network: ${why}`);
}
