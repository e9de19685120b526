import type { ContainerCreateOptions } from "dockerode";
import type { ExecOptions, SandboxSpec } from "../../sandbox.ts";
import type { FolderUser } from "../../work-folder.ts";
import type { EngineFacts } from "./engine.ts";
import type { Ulimit } from "./own-limits.ts";

export const SERVER_LABEL = "sluice.server";

export interface ContainerPlan {
  readonly spec: SandboxSpec;
  readonly exec: ExecOptions;
  readonly facts: EngineFacts;
  /** The engine's id of the root. */
  readonly image: string;
  /** Who it runs as, by ids inside. */
  readonly user: FolderUser;
  /** Groups besides, by their ids. */
  readonly groups: readonly number[];
  /** The root has a shell. */
  readonly hasShell: boolean;
  /** As the engine names it. */
  readonly network: string;
  /** Mounts are bound; else they are copied. */
  readonly binds: boolean;
  readonly ulimits: readonly Ulimit[];
  readonly serverName: string;
}

/** Least that engines take. */
const MIN_MEMORY_BYTES = 6 * 1024 * 1024;
const NANO_CPUS_PER_MILLI = 1_000_000;
/** What 1,000 milli weigh, and the least, in control groups. */
const [SHARES_PER_CORE, MIN_SHARES] = [1024, 2];
/** The shell that stands before the program, and the engine's own first process. */
const OWN_PROCESSES = 2;

/** What the shell below says on its own error stream, which the program has not: the kernel ended something for memory. Engines do not always know. */
export const OUT_OF_MEMORY = "oom";

/** The first process of a container takes no signal that it did not ask for, not even from itself, so that a program alone could neither be asked to end nor
 *  end as programs do: a shell stands before it, hands on SIGTERM, and ends as it did. One stream for both outputs keeps their order, and leaves the
 *  other to the shell. */
const SHELL = `trap 'kill -TERM -1 2>/dev/null' TERM
if [ "$1" = merged ]; then shift; "$@" <&0 2>&1 &
else shift; "$@" <&0 & fi
job=$!
while :; do
  wait $job
  code=$?
  kill -0 $job 2>/dev/null || break
done
[ $code = 137 ] && for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  [ -r $file ] && while read -r name count; do
    [ "$name" = oom_kill ] && [ "$count" -gt 0 ] && echo ${OUT_OF_MEMORY} >&2
  done <$file
done
exit $code`;

/** What the engine is asked for: no capability, no new privileges, and every limit that it has. */
export function containerOptions(plan: ContainerPlan): ContainerCreateOptions {
  const { spec, exec, facts, user, ulimits } = plan;
  const { limits } = spec;
  const argv = plan.hasShell
    ? ["/bin/sh", "-c", SHELL, "sh", exec.separateStdout ? "apart" : "merged", ...exec.argv]
    : exec.argv;
  const memory = Math.max(MIN_MEMORY_BYTES, limits.memoryBytes);
  return {
    Image: plan.image,
    Entrypoint: argv.slice(0, 1),
    Cmd: argv.slice(1),
    Env: Object.entries(exec.env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: spec.workingDirectory,
    User: `${user.uid}:${user.gid}`,
    Tty: false,
    OpenStdin: false,
    Labels: { [SERVER_LABEL]: plan.serverName, "sluice.sandbox": spec.id },
    // On the machine's network a host name of its own is refused by some engines.
    ...(plan.network === "host" ? {} : { Hostname: spec.hostname }),
    HostConfig: {
      NetworkMode: plan.network,
      Mounts: plan.binds
        ? spec.mounts.map(({ source, target, readOnly }) => ({
            Type: "bind" as const,
            Source: source,
            Target: target,
            ReadOnly: readOnly,
          }))
        : [],
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      GroupAdd: plan.groups.map(String),
      IpcMode: "private",
      LogConfig: { Type: "none", Config: {} },
      ...(facts.limitsMemory ? { Memory: memory, ...(facts.limitsSwap ? { MemorySwap: memory } : {}) } : {}),
      ...(facts.limitsPids ? { PidsLimit: limits.pids + OWN_PROCESSES } : {}),
      ...cpu(plan),
      ShmSize: Math.ceil(memory / 2),
      Ulimits: [...ulimits, fileSize(limits.diskBytes), { Name: "core", Soft: 0, Hard: 0 }],
    },
  };
}

/** So much more that who comes up against it is seen to be over the limit. */
const OVER_BYTES = 4096;

function fileSize(diskBytes: number): Ulimit {
  return { Name: "fsize", Soft: diskBytes + OVER_BYTES, Hard: diskBytes + OVER_BYTES };
}

function cpu({ spec, facts }: ContainerPlan): { NanoCpus?: number; CpuShares?: number } {
  const { cpuMilli, cpuHard } = spec.limits;
  if (!facts.limitsCpu) return {};
  if (cpuHard) return { NanoCpus: cpuMilli * NANO_CPUS_PER_MILLI };
  return { CpuShares: Math.max(MIN_SHARES, Math.round((cpuMilli / 1000) * SHARES_PER_CORE)) };
}
