import { isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { renewTlsKeys, type TlsKeys } from "../lib/port-server.ts";
import { buildApp } from "./app.ts";
import type { GatewayDeps } from "./deps.ts";
import { createEdge } from "./edge.ts";
import { HttpMetrics } from "./metrics/http-metrics.ts";
import { OpenStreams } from "./open-streams.ts";
import { routeTable } from "./route-table.ts";
import { Wakeups } from "./streams/wakeups.ts";

export interface Gateway {
  /** Resolves once calls are answered, with the address to reach them on this machine. Port 0 picks a free one.
   *  @throws what the operating system says of the address (EADDRINUSE, EACCES …) */
  listen(host: string, port: number): Promise<{ readonly url: string }>;
  /** For new connections, where the port has TLS. */
  renewTls(keys: TlsKeys): void;
  /** Takes no new call, ends open streams and waits for calls in flight, which are cut after 5 s. */
  close(): Promise<void>;
}

const CLOSE_WITHIN_MS = 5000;

/** The HTTP API of a server. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { app, setHost, shut } = createApp(deps);
  return {
    async listen(host, port) {
      setHost(host);
      if (Number.isFinite(deps.facts.maxConnections)) app.server.maxConnections = deps.facts.maxConnections;
      await app.listen({ host, port });
      return { url: reachableUrl(app, host, deps.tls !== null) };
    },
    renewTls: (keys) => renewTlsKeys(app.server, keys),
    async close() {
      shut();
      const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_WITHIN_MS);
      await app.close();
      clearTimeout(cut);
    },
  };
}

/** The app of a gateway with what ends it; tests inject requests into it without a socket. */
export function createApp(deps: GatewayDeps): {
  readonly app: FastifyInstance;
  readonly routes: ReturnType<typeof routeTable>;
  setHost(host: string): void;
  shut(): void;
} {
  const wakeups = new Wakeups(deps.state);
  const http = new HttpMetrics();
  const streams = new OpenStreams();
  const routes = routeTable(wakeups, http);
  let edge = createEdge("localhost", deps.facts.publicUrls);
  let closing = false;
  const app = buildApp({ deps, routes, http, streams, edge: () => edge, closing: () => closing });
  return {
    app,
    routes,
    setHost(host) {
      edge = createEdge(host, deps.facts.publicUrls);
    },
    shut() {
      closing = true;
      streams.closeAll();
      wakeups.close();
    },
  };
}

/** A wildcard is no address to connect to: this machine reaches it by loopback. */
function reachableUrl(app: FastifyInstance, host: string, secure: boolean): string {
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const wildcards: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1" };
  const name = wildcards[host] ?? (isIP(host) === 6 ? `[${host}]` : host);
  return `http${secure ? "s" : ""}://${name}:${port}`;
}
