import type { NetworkMode } from "../core/service.ts";

/** One limit per resource; the driver's report says which of them this machine enforces. */
export interface SandboxLimits {
  readonly cpuMilli: number;
  /** True: `cpuMilli` is a quota; false: it is a weight. */
  readonly cpuHard: boolean;
  readonly memoryBytes: number;
  readonly pids: number;
  /** Wall clock, or null for none. */
  readonly wallMs: number | null;
  /** Work folder, temporary files and outputs together: allocated bytes and number of files. */
  readonly diskBytes: number;
  readonly files: number;
}

/** What the script finds at `target`. Sources are blobs or attempt folders that the supervisor made, never a path from a user. */
export interface SandboxMount {
  readonly kind: "blob" | "folder";
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What a sandbox sees as `/`: the machine's own programs, or an unpacked image with a writable layer of the sandbox's own over it. */
export type SandboxRoot =
  | { readonly kind: "host" }
  | {
      readonly kind: "image";
      /** `sha256:<64 hex>` of its manifest. */
      readonly digest: string;
      /** The name in full, for drivers that have a store of images of their own. */
      readonly reference: string;
      /** Absolute paths of overlayfs lower folders, lowest first. */
      readonly layers: readonly string[];
      /** `USER` of the image: a name or number, with or without `:group`; empty for root. */
      readonly user: string;
    };

export interface SandboxSpec {
  /** Unique among the living: names the sandbox in messages. `[A-Za-z0-9._-]`, at most 200 characters. */
  readonly id: string;
  readonly root: SandboxRoot;
  /** The attempt's own folder on the store's file system; the driver gives it to the sandbox's uid, watches its size, and gives it back
   *  (owner the server, no setuid bits) before `destroy` resolves. Mounted where `mounts` say. */
  readonly workFolder: string;
  /** Host path of the folder in the work folder that every script fills; it is never untouched. Absent: nothing is. */
  readonly outputFolder?: string;
  /** Paths of all that lies in the work folder, relative to it, where the caller knows: then the driver need not look. Absent: it looks. */
  readonly workEntries?: readonly string[];
  readonly mounts: readonly SandboxMount[];
  /** A path inside, writable. */
  readonly workingDirectory: string;
  readonly limits: SandboxLimits;
  readonly network: NetworkMode;
  readonly hostname: string;
  /** For whom it runs: an owner and a service. What outlives a sandbox (a network with its counters and ended connections) is never another tenant's. */
  readonly tenant: string;
  /** A later sandbox of the same tenant and image may find what this one changes in its root, where it ends well. Never its processes, and no promise. */
  readonly reuse?: boolean;
}

export interface ExecOptions {
  readonly argv: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Chunks in the order of arrival. `err` only with `separateStdout`. A returned promise is back-pressure. */
  readonly onOutput: (chunk: Buffer, stream: "out" | "err") => void | Promise<void>;
  /** False: one pipe carries both, in order. True: stdout apart (it is the result of a call). */
  readonly separateStdout: boolean;
}

export interface SandboxUsage {
  readonly wallMs: number;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
}

export interface ExecResult {
  readonly exitCode: number | null;
  /** `SIGKILL` …, when a signal ended it. */
  readonly signal: string | null;
  /** The limit that ended it, if one did. */
  readonly limit: "memory" | "disk" | "files" | "pids" | "wall" | null;
  /** Things the user should know although the run went on: "3 background processes were killed". */
  readonly notes: readonly string[];
  readonly usage: SandboxUsage;
}

/** One living sandbox. */
export interface Instance {
  /** Runs a program to its end. Resolves after every process of the sandbox is gone and all output was delivered; the reason of a stop
   *  by a limit is in the result. @throws SluiceError SANDBOX_UNAVAILABLE when the sandbox itself could not start. */
  exec(options: ExecOptions): Promise<ExecResult>;
  /** SIGTERM, and SIGKILL after `graceMs`; `exec` then resolves. Does nothing after the end. */
  stop(graceMs: number): Promise<void>;
  stats(): Promise<SandboxUsage>;
  /** Names in the work folder, and `""` for the folder itself, whose inodes nobody changed in any way (content, rights, times, attributes,
   *  flags) between creation and `destroy`, after which it is called. A name may be missing though nothing was changed. */
  untouched(): ReadonlySet<string>;
  /** Leaves no process, mount, cgroup or folder ownership behind. Idempotent. */
  destroy(): Promise<void>;
}

/** How well one guard holds on this machine. */
export interface Guard {
  /** `memory`, `cpu`, `pids`, `disk`, `files`, `root-dropped`, `user-namespaces`, `network-none`, `network-outbound`, … */
  readonly name: string;
  readonly state: "enforced" | "weaker" | "missing";
  /** Why it is weaker or missing, in a sentence; empty when enforced. */
  readonly why: string;
  /** The line to type, or the file to change, that mends it; empty when there is nothing to do. */
  readonly mend: string;
}

export interface SandboxReport {
  readonly driver: string;
  /** A real sandbox started, ran and ended. */
  readonly works: boolean;
  readonly guards: readonly Guard[];
  readonly networks: readonly NetworkMode[];
}

/** Sandboxes of one kind that are to be ready at any time. */
export type ReadySpec = Pick<SandboxSpec, "root" | "network" | "tenant"> & { readonly count: number };

/** What isolates attempts. */
export interface Sandbox {
  readonly driver: string;
  /** Runs a real sandbox and says what this machine enforces. The result is cached until `probe(true)`. */
  probe(fresh?: boolean): Promise<SandboxReport>;
  /** @throws SluiceError SANDBOX_UNAVAILABLE, NETWORK_UNSUPPORTED (never a weaker network than asked) */
  create(spec: SandboxSpec): Promise<Instance>;
  /** Makes ready what it can of a sandbox before it is wanted, and keeps that so until the next call names others. Optional: where a driver has it, a
   *  measurement showed a gain. @throws SluiceError as `create` */
  keepReady?(wanted: readonly ReadySpec[]): Promise<void>;
  /** At start: kills and removes what a killed server left. Returns one sentence per thing removed. */
  reclaim(): Promise<string[]>;
  close(): Promise<void>;
}
