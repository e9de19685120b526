import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import Fastify, {
  type FastifyError,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import { SluiceError } from "../core/errors.ts";
import { createPortServer, type TlsKeys } from "../lib/port-server.ts";
import { authenticate } from "./authenticate.ts";
import { onClientError } from "./client-error.ts";
import type { GatewayDeps } from "./deps.ts";
import type { Edge } from "./edge.ts";
import { asKnownError, type ErrorForm, errorAnswer } from "./error-answers.ts";
import type { HttpMetrics } from "./metrics/http-metrics.ts";
import type { OpenStreams } from "./open-streams.ts";
import type { Route } from "./route.ts";
import { endStream, sendStream, sendWhole } from "./send-answer.ts";
import { refuseUnrouted } from "./unrouted.ts";

/** Everything that the app needs beside the server's rooms. */
export interface AppParts {
  readonly deps: GatewayDeps;
  readonly routes: readonly Route[];
  readonly http: HttpMetrics;
  readonly streams: OpenStreams;
  /** Known once the address is bound. */
  edge(): Edge;
  closing(): boolean;
}

/** Time for a request's headers, and for all of it with its body: 64 MiB at 1 Mbit/s. */
const HEADERS_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 10 * 60_000;
/** Fastify's default. */
const KEEP_ALIVE_MS = 72_000;
/** Longest path parameter; ids and names are shorter. */
const MAX_PARAM_LENGTH = 300;
const OURS: ErrorForm = { errors: "problem" };

/** The routes on Fastify, which gives the router and the life of a connection. Bodies reach the routes unread, and schemas are ours: its own
 *  validator and serialiser, with Ajv, are never loaded (4 MB and 30 ms). */
export function buildApp(parts: AppParts): FastifyInstance {
  const app = Fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...serverOptions(parts.deps.tls),
    return503OnClosing: false,
    exposeHeadRoutes: true,
    genReqId: () => randomUUID(),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAM_LENGTH },
    schemaController: { compilersFactory: { buildValidator: () => noSchemas, buildSerializer: () => noSchemas } },
    frameworkErrors: (error, request, reply) => fail(parts, request, reply, fromFastify(error), OURS),
    clientErrorHandler: onClientError,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.addHook("onRequest", async (request) => checkEdge(parts, request));
  app.addHook("onResponse", async (request, reply) => count(parts, request, reply));
  app.setErrorHandler((error: FastifyError, request, reply) =>
    fail(parts, request, reply, fromFastify(error), formOf(parts, request)),
  );
  app.setNotFoundHandler((request, reply) => {
    const error = refuseUnrouted(parts.routes, request.method, request.url, reply);
    return fail(parts, request, reply, error, OURS);
  });
  for (const route of parts.routes) addRoute(app, parts, route);
  return app;
}

/** Fastify's own server where it can be, because that one listens on all addresses that "localhost" has. */
function serverOptions(tls: TlsKeys | null): Pick<FastifyHttpOptions<Server>, "http" | "serverFactory"> {
  const timeouts = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
  if (tls === null) return { http: timeouts };
  return {
    serverFactory: (handler) =>
      createPortServer({ ...timeouts, keepAliveTimeout: KEEP_ALIVE_MS }, tls).on("request", handler),
  };
}

function noSchemas(): never {
  throw new Error("routes have no Fastify schemas");
}

function checkEdge({ edge, closing }: AppParts, request: FastifyRequest): void {
  edge().check(request.method, request.headers);
  if (closing()) throw new SluiceError("STOPPING", "Cannot answer: the server is stopping (try again when it is back)");
}

function addRoute(app: FastifyInstance, parts: AppParts, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    config: { routeId: route.id },
    handler: async (request, reply) => answer(parts, route, request, reply),
  });
}

async function answer(parts: AppParts, route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { deps } = parts;
  const controller = new AbortController();
  reply.raw.once("close", () => controller.abort());
  try {
    const caller = await authenticate(deps.identity, request.headers);
    const { signal } = controller;
    const { params, query, headers, raw: body } = request;
    const given = await route.run(deps, { caller, params, query, headers, body, signal });
    const { stream } = given;
    if (stream === undefined) return sendWhole(reply, given, request.id);
    if (request.method === "HEAD") return endStream(reply, given, request.id);
    parts.streams.admit(controller, async () => (await authenticate(deps.identity, headers)) !== null);
    return await sendStream(reply, { ...given, stream }, request.id, signal);
  } catch (error) {
    return fail(parts, request, reply, error, route);
  }
}

/** The one way in which requests fail; a defect is logged once, with what the client is not told. */
function fail(
  { deps }: AppParts,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  form: ErrorForm,
): FastifyReply {
  const known = asKnownError(error);
  if (known.code === "INTERNAL") {
    const route = request.routeOptions.config?.routeId ?? "none";
    deps.log.error("request failed", {
      requestId: request.id,
      route,
      method: request.method,
      client: deps.proxies.peerOf(request.raw).address,
      error: known.cause ?? known,
    });
  }
  if (reply.sent) return reply;
  if (known.code === "UNAUTHENTICATED" && request.headers["sec-fetch-mode"] === undefined) {
    // A browser's own password box would keep the administrator's password for every page; programs and people at an address bar need the hint.
    reply.header("www-authenticate", 'Basic realm="sluice", charset="UTF-8"');
  }
  return sendWhole(reply, errorAnswer(known, form, request.id), request.id);
}

function formOf({ routes }: AppParts, request: FastifyRequest): ErrorForm {
  return routes.find(({ id }) => id === request.routeOptions.config?.routeId) ?? OURS;
}

/** Fastify's own refusals, in our codes. */
function fromFastify(error: FastifyError | SluiceError): unknown {
  if (error instanceof SluiceError) return error;
  const { code, statusCode = 500 } = error;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new SluiceError("MEDIA_TYPE_UNSUPPORTED", "Cannot read the body: its Content-Type is not well formed");
  }
  if (code === "FST_ERR_MAX_PARAM_LENGTH") {
    return new SluiceError("NOT_FOUND", "Cannot find that: no name or id here is that long");
  }
  if (statusCode >= 500) return error;
  return new SluiceError("REQUEST_INVALID", "Cannot read the request: its address or headers are not well formed");
}

function count({ http }: AppParts, request: FastifyRequest, reply: FastifyReply): void {
  const route = request.routeOptions.config?.routeId;
  http.answered(route ?? "none", route === undefined ? "other" : request.method, reply.statusCode);
  if (!String(reply.raw.getHeader("content-type") ?? "").startsWith("text/event-stream")) {
    http.took(reply.elapsedTime / 1000);
  }
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The id of the route in our table; absent on what no route answers. */
    routeId?: string;
  }
}
