import type { Principal } from "../core/principal.ts";
import type { Lineage } from "../state/state.ts";

export interface TokenHolder {
  readonly principal: Principal;
  /** The service whose rights the token has. */
  readonly service: string;
  /** Set for an attempt's token: what it writes carries the job's hops + 1. */
  readonly lineage: Lineage | null;
}

/** Turns credentials into principals. Comparisons take the same time whether right or wrong. */
export interface Identity {
  basic(user: string, password: string): Promise<Principal | null>;
  bearer(token: string): Promise<TokenHolder | null>;
  /** The secret that signs for an S3 access key, or null. */
  accessKey(accessKeyId: string): Promise<{ readonly secretKey: string; readonly principal: Principal } | null>;
}

export type Action =
  | "service.read"
  | "service.write"
  | "service.invoke"
  | "bucket.list"
  | "bucket.write"
  | "object.read"
  | "object.write"
  | "job.read"
  | "job.write"
  | "system.read"
  | "system.admin";

/** What an action is about; `owner` null means that it belongs to nobody in particular. */
export interface Resource {
  readonly kind: "service" | "bucket" | "object" | "job" | "system";
  readonly name: string;
  readonly owner: string | null;
}
