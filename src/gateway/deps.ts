import type { Principal } from "../core/principal.ts";
import type { DispatchView } from "../dispatch/dispatch.ts";
import type { ServerAbilities } from "../fdl/check-service.ts";
import type { Identity } from "../identity/identity.ts";
import type { Images } from "../images/images.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TlsKeys } from "../lib/port-server.ts";
import type { Proxies } from "../lib/proxies.ts";
import type { LogStore } from "../logs/logs.ts";
import type { BlobStore } from "../objectstore/blobs.ts";
import type { StoreFinding } from "../objectstore/scrub/findings.ts";
import type { CheckOptions } from "../objectstore/scrub/store-check.ts";
import type { SandboxReport } from "../sandbox/sandbox.ts";
import type { State } from "../state/state.ts";

/** What does not change while the server runs. */
export interface ServerFacts {
  readonly version: string;
  /** Empty when it is not known. */
  readonly gitCommit: string;
  /** The S3 address that clients are told (`http://127.0.0.1:9000`). */
  readonly s3Url: string;
  readonly region: string;
  /** Addresses of this API that its operator configured; their host names are answered, their origins may change things. */
  readonly publicUrls: readonly string[];
  /** True lets anybody read /metrics. */
  readonly metricsPublic: boolean;
  /** The largest event body that a call may bring. */
  readonly maxEventBytes: number;
  /** Connections beyond these are cut as they come. */
  readonly maxConnections: number;
}

/** Everything the gateway needs from the rest of the server. */
export interface GatewayDeps {
  readonly state: State;
  readonly jobs: Jobs;
  readonly dispatcher: { view(): DispatchView };
  readonly blobs: Pick<BlobStore, "stage" | "discard">;
  readonly logs: Pick<LogStore, "read">;
  readonly identity: Identity;
  /** What this server can run, for definitions that are applied. */
  abilities(): Promise<ServerAbilities>;
  readonly images: Images;
  sandboxReport(): Promise<SandboxReport>;
  /** How many objects the embedded store holds. */
  objectCount(): Promise<number>;
  /** The S3 keys that the principal signs with; null when it has none. */
  s3KeysOf(by: Principal): Promise<{ readonly accessKey: string; readonly secretKey: string } | null>;
  /** Copies database and blobs to a folder of this machine while everything runs. @throws SluiceError BACKUP_INVALID */
  backup(target: string): Promise<void>;
  /** Looks through the store while everything runs, until `signal` aborts. @throws SluiceError OVERLOADED while another check runs */
  storeCheck(options: CheckOptions, signal: AbortSignal): AsyncIterable<StoreFinding>;
  /** Why the server cannot work now, one sentence each; empty when it can. */
  readiness(): Promise<readonly string[]>;
  readonly facts: ServerFacts;
  /** Null: plain HTTP. */
  readonly tls: TlsKeys | null;
  /** Whose X-Forwarded headers count. */
  readonly proxies: Proxies;
  readonly clock: Clock;
  readonly log: Log;
}
