import type { LogLevel } from "../lib/log.ts";
import type { TlsFiles } from "../lib/port-server.ts";

/** The server's settings, checked, with every default filled in, frozen. */
export interface Config {
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute; null: in the data directory. */
  readonly blobsDir: string | null;
  /** Where both ports listen. */
  readonly host: string;
  /** Port 0 picks a free one. URLs have no trailing slash. */
  readonly api: { readonly port: number; readonly publicUrl: string | null; readonly tls: TlsFiles | null };
  readonly s3: {
    readonly port: number;
    readonly publicUrl: string | null;
    readonly tls: TlsFiles | null;
    readonly domains: readonly string[];
  };
  /** Addresses and CIDR networks. */
  readonly trustedProxies: readonly string[];
  readonly logLevel: LogLevel;
  readonly drainMs: number;
  readonly metricsPublic: boolean;
  /** What jobs on this machine may reserve together. `diskBytes` null: the data directory's file system without what is kept free. */
  readonly local: {
    readonly cpuMilli: number;
    readonly memoryBytes: number;
    readonly diskBytes: number | null;
    readonly slots: number;
  };
  readonly slots: { readonly uidBase: number; readonly count: number; readonly gid: number };
  readonly sandbox: {
    readonly driver: "bubblewrap" | "container" | "mock";
    readonly idleMs: number;
    /** Absolute. */
    readonly engineSocket: string | null;
    readonly engineNetwork: string | null;
    readonly allowHostNetwork: boolean;
    /** Absolute and normal. */
    readonly extraPaths: readonly string[];
  };
  readonly images: {
    /** Null: a quarter of the file system. */
    readonly maxBytes: number | null;
    readonly plainHttp: readonly string[];
    readonly privateNetworks: boolean;
    /** Registry and a host that is asked before it, in this order. */
    readonly mirrors: readonly (readonly [registry: string, host: string])[];
    /** Absolute paths of Docker config files: the administrator's own, and those that services name. */
    readonly dockerConfig: string | null;
    readonly pullSecrets: Readonly<Record<string, string>>;
    /** Name of one of them and a user who may name it. */
    readonly pullSecretUsers: readonly (readonly [secret: string, user: string])[];
    readonly credentialHelpers: readonly string[];
    readonly folders: readonly string[];
  };
  /** null: no limit. */
  readonly timeouts: { readonly defaultMs: number | null; readonly maxMs: number | null; readonly syncMs: number };
  readonly jobs: { readonly keepMs: number };
  readonly changes: { readonly keepMs: number };
  /** `keepFreeBytes` null: 5 % of the file system, at least 1 GiB. `scrubMs` 0: never. */
  readonly store: { readonly inlineBytes: number; readonly keepFreeBytes: number | null; readonly scrubMs: number };
  readonly logs: { readonly maxBytes: number };
  readonly limits: { readonly pids: number; readonly files: number; readonly eventBytes: number };
  /** From the environment; null: what DIR/admin.json says. */
  readonly admin: {
    readonly user: string | null;
    readonly password: string | null;
    readonly accessKey: string | null;
    readonly secretKey: string | null;
  };
}

/** What the defaults depend on. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
}
