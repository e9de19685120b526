import type { Resources } from "./resources.ts";

/** What a script may reach: nothing, the outside world but not this machine, or this machine's own network. */
export type NetworkMode = "none" | "outbound" | "host";

/** What happens when an output has the key of an object that another job made. */
export type ConflictPolicy = "overwrite" | "rename" | "fail";

/** One `input` or `output` entry. `provider` is `minio.default` for the embedded store, else `<type>.<id>`. */
export interface StorageEntry {
  readonly provider: string;
  readonly bucket: string;
  /** Key prefix without a leading or trailing slash; empty for the whole bucket. Outputs may hold `{job}`, `{input}`, `{stem}`, `{date}`. */
  readonly folder: string;
  /** A file matches when its name starts with any of these (or there is none) and ends with any of `suffixes` (or there is none). */
  readonly prefixes: readonly string[];
  readonly suffixes: readonly string[];
  /** Outputs only: a failure to deliver to this entry does not fail the job. */
  readonly optional: boolean;
}

/** A deployed function, normalised: what a revision pins and what every room but `fdl` reads. */
export interface Service {
  readonly name: string;
  /** `host` or an OCI reference. */
  readonly image: string;
  /** `sha256:<64 hex>`: the manifest that `image` stood for when it was applied; null for `host`, and while it is only described. */
  readonly imageDigest: string | null;
  /** Names of credentials in the server's configuration that its registry is asked with. */
  readonly imagePullSecrets: readonly string[];
  /** True pulls the image when it is applied, not with the first job. */
  readonly imagePrefetch: boolean;
  /** Sandboxes that are ready before a job needs them. */
  readonly minInstances: number;
  /** True lets a job find what earlier ones of this service changed in the image's root. */
  readonly reuse: boolean;
  /** The script's text, LF line ends; empty where the image's own program runs. */
  readonly script: string;
  /** What one attempt reserves: `cpu` in milli-cores, `memory` and `disk` in bytes, `gpu` in devices. */
  readonly resources: Resources;
  /** True makes `cpu` a hard quota as well as a reservation and a weight. */
  readonly cpuLimit: boolean;
  /** Wall clock of one attempt; null for none. */
  readonly timeoutMs: number | null;
  readonly retries: { readonly maxAttempts: number; readonly backoffMs: number };
  /** Most attempts of this service at once; null for no limit but capacity. */
  readonly concurrency: number | null;
  readonly network: NetworkMode;
  readonly inputs: readonly StorageEntry[];
  readonly outputs: readonly StorageEntry[];
  readonly onConflict: ConflictPolicy;
  /** True switches off the refusal of services that feed themselves (the hop guard stays). */
  readonly allowLoops: boolean;
  /** OSCAR's `file_stage_in: true`: the input is not staged, INPUT_FILE_PATH stays unset. */
  readonly skipStageIn: boolean;
  readonly variables: Readonly<Record<string, string>>;
  /** Given to the script's environment; never listed, logged or returned. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly logLevel: string;
  readonly visibility: "private" | "restricted" | "public";
  readonly allowedUsers: readonly string[];
  /** The definition as the API takes and returns it (OSCAR's key names), without `script`, `token` and secret values:
   *  keys that this server keeps but does not act on live only here. */
  readonly definition: Readonly<Record<string, unknown>>;
}

/** An immutable version of a service; a job runs the revision that was current when its event was committed. */
export interface Revision {
  readonly id: string;
  readonly service: string;
  readonly owner: string;
  readonly createdAt: number;
  readonly spec: Service;
}

/** A service's row: its current revision and what lives across revisions. */
export interface ServiceRecord {
  readonly name: string;
  readonly owner: string;
  /** 64 hex characters; kept across updates. Shown only to owner and admin. */
  readonly token: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: Revision;
}
