import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { removeTree } from "../../../lib/remove-tree.ts";
import { copyProgram } from "../../copy-program.ts";
import { enforced, missing, weaker } from "../../guards.ts";
import type { Guard, Instance, SandboxReport, SandboxSpec } from "../../sandbox.ts";
import type { Engine, EngineFacts } from "./engine.ts";
import type { EngineNetwork } from "./instance.ts";

export interface EngineDoctorOptions {
  readonly engine: Engine;
  readonly probeFolder: string;
  readonly allowHostNetwork: boolean;
  readonly machine: () => Promise<{
    readonly facts: EngineFacts;
    readonly binds: boolean;
    readonly outbound: EngineNetwork | null;
  }>;
  readonly create: (spec: SandboxSpec) => Promise<Instance>;
}

/** What a container said of itself. */
interface Seen {
  readonly output: string;
  /** Null when it ran. */
  readonly why: string | null;
}

const MEBIBYTE = 1024 * 1024;
/** Shell alone: its root has no other program. */
const LOOK = `while read -r name value rest; do
  case $name in CapBnd:|NoNewPrivs:|Seccomp:|Uid:) echo "$name $value" ;; esac
done </proc/self/status
while read -r name rest; do echo "device $name"; done </proc/net/dev
echo "map $(while read -r inside outside count; do echo "$inside $outside"; done </proc/self/uid_map)"`;

let counter = 0;

/** Says what containers of this engine enforce, from real ones. */
export class EngineDoctor {
  readonly #options: EngineDoctorOptions;

  constructor(options: EngineDoctorOptions) {
    this.#options = options;
  }

  async examine(): Promise<SandboxReport> {
    let machine: Awaited<ReturnType<EngineDoctorOptions["machine"]>>;
    try {
      machine = await this.#options.machine();
    } catch (error) {
      return broken((error as Error).message);
    }
    const folder = mkdtempSync(`${this.#options.probeFolder}/doctor-`);
    chmodSync(folder, 0o711);
    try {
      const layers = [`${folder}/layer`];
      copyProgram("/bin/sh", `${folder}/layer`);
      const seen = await this.#run(folder, layers, "none");
      if (seen.why !== null) return broken(seen.why);
      const outbound = machine.outbound === null ? null : await this.#run(folder, layers, "outbound");
      return this.#report(machine, seen.output, outbound);
    } catch (error) {
      return broken(`There is nothing to try a container with: ${(error as Error).message}`);
    } finally {
      await removeTree(folder);
    }
  }

  #report(
    { facts, binds }: Awaited<ReturnType<EngineDoctorOptions["machine"]>>,
    output: string,
    outbound: Seen | null,
  ): SandboxReport {
    const hasOutbound = outbound?.why === null;
    const { allowHostNetwork } = this.#options;
    return {
      driver: "container",
      works: true,
      guards: [
        enforced("engine", `${facts.kind} ${facts.version}${facts.isRootless ? ", rootless" : ""}`),
        enforced("image-root"),
        usersGuard(facts),
        output.includes("CapBnd: 0000000000000000") && output.includes("NoNewPrivs: 1")
          ? enforced("capabilities")
          : missing("capabilities", "A container had capabilities or could get some", ""),
        output.includes("Seccomp: 2")
          ? enforced("system-calls")
          : missing(
              "system-calls",
              `${facts.kind} filters no system calls`,
              "start it with its default seccomp profile",
            ),
        /device (?!lo:|Inter-|face)/.test(output)
          ? missing("network-none", "A container without network had a device", "")
          : enforced("network-none"),
        outboundGuard(facts, outbound),
        allowHostNetwork
          ? enforced("network-host")
          : missing("network-host", "The configuration does not allow it", "allow_host_network: true"),
        ...limitGuards(facts),
        weaker(
          "disk",
          binds
            ? "Looked at every 200 ms, the container's own layer every 2 s"
            : "One file is held by the kernel, all together are counted at the end",
          "",
        ),
        binds
          ? enforced("binds")
          : weaker("binds", `${facts.kind} does not see this machine's folders: inputs and outputs are copied`, ""),
        missing("host-root", "image: host is not for container engines", "sandbox: {driver: bubblewrap}"),
      ],
      networks: [
        "none",
        ...(hasOutbound ? (["outbound"] as const) : []),
        ...(allowHostNetwork ? (["host"] as const) : []),
      ],
    };
  }

  async #run(folder: string, layers: readonly string[], network: SandboxSpec["network"]): Promise<Seen> {
    counter += 1;
    const workFolder = `${folder}/work-${counter}`;
    mkdirSync(workFolder, { mode: 0o711 });
    let output = "";
    try {
      const instance = await this.#options.create({
        id: `probe-${process.pid}-${counter}`,
        root: { kind: "image", digest: "sha256:0", reference: "probe", layers, user: "" },
        workFolder,
        mounts: [{ kind: "folder", source: workFolder, target: "/work", readOnly: false }],
        workingDirectory: "/work",
        limits: {
          cpuMilli: 1000,
          cpuHard: false,
          memoryBytes: 64 * MEBIBYTE,
          pids: 16,
          wallMs: 10_000,
          diskBytes: 16 * MEBIBYTE,
          files: 100,
        },
        network,
        hostname: "sluice",
        tenant: "",
      });
      try {
        const { exitCode } = await instance.exec({
          argv: ["/bin/sh", "-c", LOOK],
          env: { PATH: "/bin" },
          separateStdout: false,
          onOutput: (chunk) => {
            output += chunk.toString("utf8", 0, 8192);
          },
        });
        return { output, why: exitCode === 0 ? null : `A container ended with ${exitCode}: ${output.trim()}` };
      } finally {
        await instance.destroy();
      }
    } catch (error) {
      return { output, why: (error as Error).message };
    }
  }
}

function broken(why: string): SandboxReport {
  const guard = missing(
    "engine",
    why,
    "start Docker, or systemctl enable --now podman.socket   (or name another by sandbox.engine_socket)",
  );
  return { driver: "container", works: false, guards: [guard], networks: [] };
}

function usersGuard({ isRootless, remapsUsers, kind }: EngineFacts): Guard {
  if (isRootless || remapsUsers) return enforced("user-namespaces");
  const mend = kind === "Podman" ? "run Podman as the server's own user" : 'set "userns-remap" or run Docker rootless';
  return weaker("user-namespaces", "Root inside is root of the machine, without any capability", mend);
}

function outboundGuard({ kind }: EngineFacts, seen: Seen | null): Guard {
  if (seen?.why === null) return enforced("network-outbound");
  if (seen !== null)
    return missing("network-outbound", seen.why ?? "", "apt-get install slirp4netns iproute2 util-linux");
  return kind === "Podman"
    ? missing("network-outbound", "ip or nsenter is not installed", "apt-get install iproute2 util-linux")
    : missing(
        "network-outbound",
        `${kind}'s networks reach this machine`,
        "sandbox: {engine_network: NAME} of one that does not",
      );
}

function limitGuards({ limitsMemory, limitsPids, limitsCpu, kind }: EngineFacts): Guard[] {
  const guard = (name: string, holds: boolean): Guard =>
    holds ? enforced(name) : missing(name, `${kind} has no control group for it here`, "");
  return [guard("memory", limitsMemory), guard("pids", limitsPids), guard("cpu", limitsCpu)];
}
