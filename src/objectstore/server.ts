import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../lib/clock.ts";
import { HostNames } from "../lib/host-names.ts";
import type { Log } from "../lib/log.ts";
import { createPortServer, type TlsKeys } from "../lib/port-server.ts";
import { Proxies } from "../lib/proxies.ts";
import { s3Error } from "../s3/errors.ts";
import { answerError } from "./answer.ts";
import { authenticate } from "./authenticate.ts";
import { BucketCache } from "./bucket-cache.ts";
import type { StoreDeps, StoreState } from "./call.ts";
import { Connections } from "./connections.ts";
import { CrossOriginAccess } from "./cors/cross-origin.ts";
import { newRequestId, parseRequest } from "./request.ts";
import { findOperation } from "./router.ts";

export interface ObjectStoreOptions {
  readonly state: StoreState;
  readonly blobs: StoreDeps["blobs"];
  readonly parts: StoreDeps["parts"];
  readonly identity: StoreDeps["identity"];
  /** Host names to answer besides loopback: the bound host and the hosts of public addresses, without ports. */
  readonly hosts: readonly string[];
  /** Domains below which each bucket has a name of its own, lower case. Default: none. */
  readonly domains?: readonly string[];
  /** Default: plain HTTP. */
  readonly tls?: TlsKeys | null;
  /** Whose X-Forwarded headers count. Default: nobody's. */
  readonly proxies?: Proxies;
  readonly log: Log;
  readonly clock?: Clock;
  /** How long a connection may be silent in the middle of a request. Default 60 s. */
  readonly idleTimeoutMs?: number;
  /** Requests worked on at once; more are answered SlowDown. Each upload or download holds about 1 MiB. Default 256. */
  readonly maxRequests?: number;
}

/** The embedded S3 server. */
export interface ObjectStore {
  readonly server: Server;
  /** Resolves with the bound port. */
  listen(host: string, port: number): Promise<number>;
  /** The bound address. Null before `listen` and after `close`. */
  address(): AddressInfo | null;
  /** Takes no more connections, lets running requests end for `graceMs` (default 5 s), then cuts them off. */
  close(graceMs?: number): Promise<void>;
}

const DEFAULT_IDLE_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_REQUESTS = 256;
const DEFAULT_GRACE_MS = 5000;

/** 128 bits that tell one server process from another in its answers. */
const HOST_ID = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");

export function createObjectStore(options: ObjectStoreOptions): ObjectStore {
  const { state, blobs, parts, identity, log } = options;
  const clock = options.clock ?? systemClock;
  const deps: StoreDeps = { state, blobs, parts, identity, buckets: new BucketCache(state, clock), log, clock };
  const domains = options.domains ?? [];
  const crossOrigin = new CrossOriginAccess(state, clock);
  const hosts = new HostNames(options.hosts, domains);
  // Node's own limit on a whole request (300 s) would cut long uploads off; the idle time is what counts.
  const server = createPortServer({ requestTimeout: 0, keepAliveTimeout: 75_000 }, options.tls ?? null);
  const proxies = options.proxies ?? new Proxies([]);
  const connections = new Connections(server, options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS, log);
  const maxRequests = options.maxRequests ?? DEFAULT_MAX_REQUESTS;
  let running = 0;

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    connections.enter(message, response);
    const peer = proxies.peerOf(message);
    response.setHeader("x-amz-request-id", newRequestId());
    response.setHeader("x-amz-id-2", HOST_ID);
    running += 1;
    try {
      if (running > maxRequests) throw s3Error("SlowDown", "Cannot take the request now: too many are being worked on");
      if (!hosts.answersTo(message.headers.host)) throw hostRefused();
      const request = parseRequest(message, domains, peer.secure ? "https" : "http");
      if (request.method === "OPTIONS") {
        await crossOrigin.preflight(request, response);
        return;
      }
      const fromPage = message.headers.origin !== undefined;
      if (fromPage) await crossOrigin.mark(request, response);
      const call = await authenticate({ deps, request, response });
      if (!fromPage) await crossOrigin.markForCaches(request, response);
      await findOperation(call.request)(call);
    } catch (error) {
      answerError(message, response, error, log.child({ client: peer.address }));
    } finally {
      running -= 1;
    }
  };
  server.on("request", serve);
  server.on("checkContinue", serve);
  return {
    server,
    listen: (host, port) => listen(server, host, port),
    address: () => boundAddress(server),
    close: (graceMs) => {
      crossOrigin.close();
      deps.buckets.close();
      return close(server, graceMs ?? DEFAULT_GRACE_MS);
    },
  };
}

function hostRefused(): Error {
  return s3Error(
    "MisdirectedRequest",
    "Cannot answer under this Host name: this server has no such name (use its address, or start it with --s3-public-url)",
  );
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(boundAddress(server)?.port ?? port);
    });
  });
}

function boundAddress(server: Server): AddressInfo | null {
  const address = server.address();
  return address === null || typeof address === "string" ? null : address;
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
