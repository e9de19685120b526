import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { ErrorCode } from "../core/errors.ts";
import { SluiceError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { decide } from "../identity/decide.ts";
import type { Action, Resource } from "../identity/identity.ts";
import type { Lineage } from "../state/state.ts";
import { readJsonBody } from "./body.ts";
import type { GatewayDeps } from "./deps.ts";
import { parseParameters } from "./parameters.ts";

/** Who asks, by the credential that came with the call. */
export interface Caller {
  readonly principal: Principal;
  /** Set for the token of a running attempt. */
  readonly lineage: Lineage | null;
}

/** One request on its way in, before anything of it is believed. */
interface Incoming {
  readonly caller: Caller | null;
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** Aborts when the client has gone, the credential has died, or the server stops. */
  readonly signal: AbortSignal;
}

/** What a handler sees: everything is parsed, and the caller may do the route's action on `subject`. */
interface Call<P, Q, B, S> {
  readonly by: Principal;
  readonly lineage: Lineage | null;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly subject: S;
  readonly headers: IncomingHttpHeaders;
  /** The unread body, for routes whose `body` is `raw`. */
  readonly stream: Readable;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** `json` is serialised; `stream` is sent as it comes. Neither: no body. */
  readonly json?: unknown;
  readonly text?: string;
  readonly stream?: AsyncIterable<Uint8Array | string>;
  /** Default application/json for `json`, text/plain for the others. */
  readonly contentType?: string;
  /** True when users made what is in the body: a browser must not run it here. */
  readonly userMade?: boolean;
}

/** What one status answers, for the document and for tests. */
export interface AnswerRule {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** When it is not JSON. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A thing that an action is about: what is decided on, and the thing itself for the handler. */
interface Subject<S> {
  readonly resource: Resource;
  readonly value: S;
}

/** Finds what a call is about; null when there is no such thing. */
export type FindSubject<P, S> = (deps: GatewayDeps, params: P, by: Principal) => Promise<Subject<S> | null>;

interface RouteFacts {
  /** Unique: the operation's id in the document. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/system/jobs/:id` */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** `oscar`: text/plain as OSCAR's clients expect; `problem`: RFC 9457. */
  readonly errors: "oscar" | "problem";
  /** Statuses of OSCAR's that differ from the code's own. */
  readonly statusOf?: Partial<Record<ErrorCode, number>>;
  readonly answers: Readonly<Record<number, AnswerRule>>;
  /** True refuses the call while the server drains: it would start work. */
  readonly startsWork?: boolean;
}

/** How a route's access is decided. `public` routes have no action; `unless` opens one by configuration. */
type Access =
  | { readonly kind: "public" }
  | { readonly kind: "action"; readonly action: Action; readonly unless?: (deps: GatewayDeps) => boolean };

/** A row of the route table. */
export interface Route extends RouteFacts {
  readonly access: Access;
  readonly params: z.ZodType | null;
  readonly query: z.ZodType | null;
  /** `raw`: any bytes, streamed. */
  readonly body: z.ZodType | "raw" | null;
  run(deps: GatewayDeps, incoming: Incoming): Promise<Answer>;
}

interface Definition<P, Q, B, S> extends RouteFacts {
  readonly access: Access;
  readonly subject?: FindSubject<P, S>;
  /** The code that unknown and forbidden subjects answer alike; FORBIDDEN when the thing's name is no secret. */
  readonly hidden?: ErrorCode;
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B> | "raw";
  handle(deps: GatewayDeps, call: Call<P, Q, B, S>): Promise<Answer>;
}

const ANONYMOUS: Principal = { issuer: "none", subject: "", groups: [], scopes: [], via: "none" };

/** Makes a row of the table. The order of a call is fixed here: who asks, which thing, may he, query, body, work; so that nobody without the
 *  right learns more than a 401 or a 404, and no body is read for him. */
export function route<P = undefined, Q = undefined, B = undefined, S = undefined>(
  definition: Definition<P, Q, B, S>,
): Route {
  return {
    ...definition,
    params: definition.params ?? null,
    query: definition.query ?? null,
    body: definition.body ?? null,
    run: async (deps, incoming) => {
      const by = identify(deps, definition.access, incoming.caller);
      const params = parseParameters(definition.params, incoming.params, "address") as P;
      const subject = await authorise(deps, definition, params, by);
      refuseWhileDraining(deps, definition);
      const query = parseParameters(definition.query, incoming.query, "query") as Q;
      const body = (await readBody(definition, incoming)) as B;
      return definition.handle(deps, {
        by,
        lineage: incoming.caller?.lineage ?? null,
        params,
        query,
        body,
        subject,
        headers: incoming.headers,
        stream: incoming.body,
        signal: incoming.signal,
      });
    },
  };
}

function identify(deps: GatewayDeps, access: Access, caller: Caller | null): Principal {
  if (caller !== null) return caller.principal;
  if (access.kind === "public" || access.unless?.(deps) === true) return ANONYMOUS;
  throw new SluiceError(
    "UNAUTHENTICATED",
    "Cannot answer this call: it has no credentials, or wrong ones (send Basic user and password, or a Bearer token)",
  );
}

async function authorise<P, Q, B, S>(
  deps: GatewayDeps,
  definition: Definition<P, Q, B, S>,
  params: P,
  by: Principal,
): Promise<S> {
  const { access } = definition;
  const found = (await definition.subject?.(deps, params, by)) ?? null;
  if (access.kind === "public" || (by === ANONYMOUS && access.unless?.(deps) === true)) return found?.value as S;
  if (found !== null && decide(by, access.action, found.resource)) return found.value;
  throw refusal(definition.hidden ?? "FORBIDDEN", access.action, params);
}

function refusal(code: ErrorCode, action: Action, params: unknown): SluiceError {
  const name = Object.values((params ?? {}) as Record<string, unknown>).at(-1);
  if (code === "FORBIDDEN") {
    return new SluiceError("FORBIDDEN", `Cannot answer this call: these credentials do not allow "${action}"`);
  }
  const kind = code.slice(0, code.indexOf("_")).toLowerCase();
  return new SluiceError(code, `Cannot find the ${kind} "${name}": there is none of that name that you may see`);
}

function refuseWhileDraining(deps: GatewayDeps, facts: RouteFacts): void {
  if (facts.startsWork !== true || !deps.dispatcher.view().draining) return;
  throw new SluiceError("STOPPING", "Cannot take new work: the server is stopping (try again when it is back)");
}

async function readBody<P, Q, B, S>(definition: Definition<P, Q, B, S>, incoming: Incoming): Promise<unknown> {
  if (definition.body === undefined || definition.body === "raw") return undefined;
  const strict = definition.errors === "problem";
  const value = await readJsonBody(incoming.body, incoming.headers, { strict });
  return parseParameters(definition.body, value, "body");
}
