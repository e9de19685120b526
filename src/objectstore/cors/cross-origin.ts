import type { ServerResponse } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import { header } from "../../s3/canonical-request.ts";
import { s3Error } from "../../s3/errors.ts";
import { readXml } from "../../s3/xml-read.ts";
import type { State } from "../../state/state.ts";
import { answerEmpty } from "../answer.ts";
import type { S3Request } from "../request.ts";
import { corsHeaders, findRule } from "./match.ts";
import { type CorsRule, readCors } from "./rules.ts";

const MAX_BUCKETS = 1000;
/** How long rules are believed to be as they were: another process may change them. */
const BELIEVED_MS = 1000;
const VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/** Says to browsers which pages of other sites may see answers. It opens nothing: every call but the preflight still needs its signature. */
export class CrossOriginAccess {
  readonly #state: Pick<State, "bucketConfig">;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly rules: readonly CorsRule[]; readonly until: number }>();
  readonly #unsubscribe: () => void;
  /** Grows when buckets change, so that an answer from before is not kept. */
  #generation = 0;

  constructor(state: Pick<State, "bucketConfig" | "subscribe">, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
    this.#unsubscribe = state.subscribe(({ kinds }) => {
      if (!kinds.some((kind) => kind.startsWith("bucket."))) return;
      this.#generation += 1;
      this.#known.clear();
    });
  }

  /** Puts the headers on the answer to a request that comes from a page. Without a rule that allows it the browser keeps the answer from it. */
  async mark(request: S3Request, response: ServerResponse): Promise<void> {
    const origin = header(request.headers, "origin");
    if (origin === undefined || request.bucket === "") return;
    const rules = await this.#rulesOf(request.bucket);
    if (rules.length > 0) response.setHeader("Vary", VARY);
    const wanted = { origin, method: request.method, headers: [] };
    const rule = findRule(rules, wanted);
    if (rule === null) return;
    for (const [name, value] of corsHeaders(rule, wanted)) response.setHeader(name, value);
  }

  /** The same for a request that comes from no page: a cache must not give its answer to one. */
  async markForCaches(request: S3Request, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") return;
    if (request.bucket !== "" && (await this.#rulesOf(request.bucket)).length > 0) response.setHeader("Vary", VARY);
  }

  /** Answers what a browser asks before the request itself, which carries no signature.
   *  @throws SluiceError S3 BadRequest, AccessForbidden */
  async preflight(request: S3Request, response: ServerResponse): Promise<void> {
    const origin = header(request.headers, "origin");
    const method = header(request.headers, "access-control-request-method");
    if (origin === undefined || method === undefined) {
      throw s3Error("BadRequest", "Cannot answer the preflight: it has no Origin or no Access-Control-Request-Method");
    }
    const wanted = { origin, method, headers: announced(request) };
    const rule = findRule(await this.#rulesOf(request.bucket), wanted);
    if (rule === null) {
      throw s3Error(
        "AccessForbidden",
        "Cannot allow the request: no CORS rule of the bucket is for this origin, method and headers",
      );
    }
    for (const [name, value] of corsHeaders(rule, wanted)) response.setHeader(name, value);
    response.setHeader("Vary", VARY);
    answerEmpty(response, 200);
  }

  async #rulesOf(bucket: string): Promise<readonly CorsRule[]> {
    const known = this.#known.get(bucket);
    if (known !== undefined && this.#clock.monotonicMs() < known.until) return known.rules;
    const generation = this.#generation;
    const kept = bucket === "" ? null : await this.#state.bucketConfig(bucket, "cors");
    const rules = kept === null ? [] : readCors(readXml(kept));
    if (generation === this.#generation) {
      if (this.#known.size >= MAX_BUCKETS) this.#known.clear();
      this.#known.set(bucket, { rules, until: this.#clock.monotonicMs() + BELIEVED_MS });
    }
    return rules;
  }

  close(): void {
    this.#unsubscribe();
  }
}

function announced(request: S3Request): string[] {
  return (request.headers.get("access-control-request-headers") ?? [])
    .flatMap((value) => value.split(","))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}
