import { setTimeout as sleep } from "node:timers/promises";
import { enforced, missing, weaker } from "../../guards.ts";
import type { findOutboundTools } from "../../outbound/find-tools.ts";
import type { Guard, SandboxReport } from "../../sandbox.ts";
import type { CgroupTree, NoCgroups } from "./cgroup.ts";
import { diagnose, INSTALL_LINE } from "./failure.ts";
import { testGuards } from "./guard-tests.ts";
import { testImageRoot } from "./image-root-test.ts";
import type { BubblewrapInstance } from "./instance.ts";
import type { Bwrap } from "./machine.ts";
import { testOutbound } from "./network/outbound-test.ts";
import { namespaceOf, uidOf } from "./proc-table.ts";
import { type CreateSandbox, runTrial } from "./trial.ts";
import type { UidBlock } from "./uid-block.ts";

export interface DoctorOptions {
  readonly bwrap: Bwrap | null;
  readonly uids: UidBlock | null;
  readonly cgroups: CgroupTree | NoCgroups;
  readonly filtersCalls: boolean;
  readonly allowHostNetwork: boolean;
  readonly outbound: ReturnType<typeof findOutboundTools>;
  /** Where trials get their work folders. */
  readonly folder: string;
  readonly create: CreateSandbox;
}

/** What was seen of a running sandbox from outside. */
interface Seen {
  readonly uid: number | null;
  readonly sharedNamespaces: readonly string[];
}

const NAMESPACES = ["user", "pid", "net", "mnt", "ipc", "uts"] as const;
const SEEN_WITHIN_MS = 3_000;

/** Says what this machine enforces, from real sandboxes. */
export class Doctor {
  readonly #options: DoctorOptions;

  constructor(options: DoctorOptions) {
    this.#options = options;
  }

  /** Starts a sandbox and looks at it from outside; with `thorough` also breaks every limit in turn, to see it hold. */
  async examine(thorough: boolean): Promise<SandboxReport> {
    if (this.#options.bwrap === null) return this.#broken("bubblewrap is not installed", INSTALL_LINE);
    let seen: Seen | null = null;
    const trial = await runTrial(this.#options.create, this.#options.folder, "sleep 10", {
      look: async (instance) => {
        seen = await look(instance);
      },
    });
    if (trial.result === null || seen === null) {
      const { why, mend } = diagnose(trial.output === "" ? trial.error : trial.output);
      return this.#broken(why, mend);
    }
    const outbound = await testOutbound(this.#options);
    const tested = thorough ? await testGuards(this.#options) : [];
    const guards = [...this.#seenGuards(seen), await testImageRoot(this.#options), outbound, ...this.#standingGuards()];
    return {
      driver: "bubblewrap",
      works: true,
      guards: guards.map(
        (guard) => tested.find((other) => other.name === guard.name && other.state !== "enforced") ?? guard,
      ),
      networks: [
        "none",
        ...(outbound.state === "missing" ? [] : (["outbound"] as const)),
        ...(this.#options.allowHostNetwork ? (["host"] as const) : []),
      ],
    };
  }

  #broken(why: string, mend: string): SandboxReport {
    return { driver: "bubblewrap", works: false, guards: [missing("user-namespaces", why, mend)], networks: [] };
  }

  #seenGuards(seen: Seen): Guard[] {
    const shared = seen.sharedNamespaces.filter((name) => name !== "net");
    return [
      shared.length === 0
        ? enforced("user-namespaces")
        : missing("user-namespaces", `A sandbox shared these namespaces with the machine: ${shared.join(", ")}`, ""),
      this.#rootDropped(seen.uid),
      seen.sharedNamespaces.includes("net")
        ? missing("network-none", "A sandbox without network shared the machine's network", "")
        : enforced("network-none"),
    ];
  }

  #rootDropped(uid: number | null): Guard {
    const { uids } = this.#options;
    if (uids !== null && uid !== null && uid >= uids.first && uid < uids.first + uids.count)
      return enforced("root-dropped");
    if (uid === null || uid === 0) {
      return missing(
        "root-dropped",
        `A sandbox ran as user ${uid} of the machine`,
        "start the server outside of a container",
      );
    }
    return weaker(
      "root-dropped",
      `Sandboxes run as user ${uid}, who is the server's own: only namespaces stand between them and its files`,
      "start the server as root (it gives each sandbox a user id of its own), or give the server an account of its own",
    );
  }

  /** Guards that follow from what the machine has. */
  #standingGuards(): Guard[] {
    const { cgroups, allowHostNetwork, bwrap } = this.#options;
    return [
      ...("version" in cgroups ? cgroupGuards(cgroups) : noCgroupGuards(cgroups)),
      weaker(
        "disk",
        "Looked at every 200 ms (one file is held by the kernel): a fast writer can pass its limit for a moment",
        "",
      ),
      weaker("files", "Counted every 200 ms: a fast writer can pass its limit for a moment", ""),
      allowHostNetwork
        ? enforced("network-host")
        : missing("network-host", "The configuration does not allow it", "allow_host_network: true"),
      enforced("host-root"),
      bwrap?.disablesUserns
        ? enforced("nested-namespaces")
        : weaker(
            "nested-namespaces",
            "This bubblewrap cannot forbid further user namespaces inside",
            "install bubblewrap 0.8 or newer",
          ),
      this.#options.filtersCalls
        ? enforced("system-calls")
        : missing(
            "system-calls",
            `The numbers of system calls on ${process.arch} are not known: scripts may use all that an ordinary user may`,
            "",
          ),
      ...(process.pid === 1 ? [processOne()] : []),
    ];
  }
}

function processOne(): Guard {
  return weaker(
    "zombies",
    "The server is process 1, and ended sandboxes stay in the process table",
    "run the container with an init ('--init')",
  );
}

function cgroupGuards(cgroups: CgroupTree): Guard[] {
  return [
    enforced("cgroups", `Version ${cgroups.version}`),
    enforced("memory"),
    enforced("pids"),
    cgroups.controllers.has("cpu")
      ? enforced("cpu")
      : missing("cpu", "The cpu controller is not available", "enable it for the server's group"),
  ];
}

function noCgroupGuards({ why, mend }: NoCgroups): Guard[] {
  return [
    missing("cgroups", why, mend),
    weaker("memory", "Looked at every 200 ms: a fast script can pass its limit for a moment", mend),
    weaker(
      "pids",
      "Held by a limit on the account, threads included; a script that reaches it is not told apart",
      mend,
    ),
    missing("cpu", "Without control groups there are no weights and no quotas", mend),
  ];
}

/** Waits for the script to run and reads what the machine says of it. */
async function look(instance: BubblewrapInstance): Promise<Seen | null> {
  for (let waitedMs = 0; waitedMs < SEEN_WITHIN_MS; waitedMs += 2) {
    const pid = instance.hostProcesses()[0];
    if (pid !== undefined) {
      const shared = NAMESPACES.filter((kind) => namespaceOf(pid, kind) === namespaceOf("self", kind));
      return { uid: uidOf(pid), sharedNamespaces: shared };
    }
    await sleep(2);
  }
  return null;
}
