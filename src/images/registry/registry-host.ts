import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { isSluiceError, SluiceError } from "../../core/errors.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { Egress, EgressResponse } from "../../lib/egress.ts";
import type { Credentials } from "../credentials.ts";
import { parseChallenge } from "./challenge.ts";
import { readBounded } from "./read-bounded.ts";

export interface RegistryHostOptions {
  readonly egress: Egress;
  /** Host with port. */
  readonly host: string;
  /** Plain HTTP, for loopback and hosts that the operator named. */
  readonly isPlain: boolean;
  readonly repository: string;
  readonly credentials: Credentials | null;
  /** The administrator asks. */
  readonly trusted: boolean;
  /** The image's name, for messages. */
  readonly image: string;
}

/** Tries of one call; the registry says when to come back (429), or the time doubles. */
const TRIES = 5;
const FIRST_RETRY_MS = 250;
const LONGEST_WAIT_MS = 30_000;
const RETRIED = [408, 429, 500, 502, 503, 504];
const MAX_TOKEN_BYTES = 1024 ** 2;
/** Tokens are asked for anew so long before they end. */
const TOKEN_MARGIN_MS = 10_000;
const DEFAULT_TOKEN_SECONDS = 60;

const tokenAnswer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional(),
});

/** One repository of one registry, over HTTP: authorises itself as the registry asks, and tries again what may go well the next time.
 *  @see OCI distribution specification; Docker Registry HTTP API V2 */
export class RegistryHost {
  readonly #options: RegistryHostOptions;
  #authorization: { readonly header: string; readonly until: number } | null = null;

  constructor(options: RegistryHostOptions) {
    this.#options = options;
  }

  /** A GET below the repository, `manifests/3.13` or `blobs/sha256:…`. The answer is 200, or 206 where a range was asked for.
   *  @throws SluiceError IMAGE_UNKNOWN, IMAGE_DENIED, REGISTRY_UNREACHABLE, EGRESS_REFUSED */
  async get(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<EgressResponse> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.#try(path, headers, signal);
      if ("response" in outcome) return outcome.response;
      if (tries === TRIES) throw this.#unreachable(outcome.why, outcome.cause);
      await sleep(Math.min(LONGEST_WAIT_MS, outcome.afterMs ?? backoffMs(tries, FIRST_RETRY_MS * 2)), undefined, {
        signal,
      });
    }
  }

  async #try(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Outcome> {
    try {
      const response = await this.#authorised(path, headers, signal);
      if (response.status === 200 || response.status === 206) return { response };
      response.body.destroy();
      if (response.status === 404 && path.startsWith("blobs/")) throw this.#lacks(path.slice("blobs/".length));
      if (!RETRIED.includes(response.status)) throw this.#refusal(response.status);
      return { why: `it answers ${response.status}`, afterMs: retryAfterMs(response.headers["retry-after"]) };
    } catch (error) {
      if (!isSluiceError(error, "EGRESS_FAILED")) throw error;
      return { why: error.message, cause: error, afterMs: null };
    }
  }

  async #authorised(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<EgressResponse> {
    const isFresh = this.#authorization !== null && this.#authorization.until > performance.now();
    if (!isFresh) this.#authorization = null;
    const response = await this.#send(path, headers, signal);
    const challenge = response.headers["www-authenticate"];
    if (response.status !== 401 || challenge === undefined || !this.#mayMeet(response.url)) return response;
    response.body.destroy();
    this.#authorization = await this.#meet(challenge, signal);
    return await this.#send(path, headers, signal);
  }

  /** The registry alone is told who asks, not where it leads to. A token may have ended before its time, and another is asked for once; a password that
   *  was wrong stays so. */
  #mayMeet(url: URL): boolean {
    const isOwn = url.origin === URL.parse(this.#address)?.origin;
    return isOwn && this.#authorization?.header.startsWith("Basic ") !== true;
  }

  get #address(): string {
    const { isPlain, host } = this.#options;
    return `${isPlain ? "http" : "https"}://${host}`;
  }

  #send(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<EgressResponse> {
    const { egress, repository, trusted } = this.#options;
    const authorization: Record<string, string> =
      this.#authorization === null ? {} : { authorization: this.#authorization.header };
    return egress.request(`${this.#address}/v2/${repository}/${path}`, {
      method: "GET",
      headers: { ...headers, ...authorization, "user-agent": "sluice" },
      trusted,
      signal,
    });
  }

  /** The header that the registry's challenge asks for. @throws SluiceError IMAGE_DENIED when there is none */
  async #meet(header: string, signal: AbortSignal): Promise<{ header: string; until: number }> {
    const { credentials } = this.#options;
    const challenge = parseChallenge(header);
    if (challenge?.scheme === "bearer") return await this.#token(challenge.parameters, signal);
    if (challenge === null || credentials === null || credentials.username === "") throw this.#refusal(401);
    return { header: basic(credentials), until: Number.POSITIVE_INFINITY };
  }

  async #token(
    { realm = "", service }: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ header: string; until: number }> {
    const { egress, credentials, repository, trusted, host } = this.#options;
    const url = URL.parse(realm);
    if (url === null) throw this.#unreachable("it names no address to get a token from");
    const scope = `repository:${repository}:pull`;
    const identity = credentials?.identityToken ?? "";
    const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
    if (identity === "") for (const [name, value] of query) url.searchParams.set(name, value);
    else query.append("grant_type", "refresh_token");
    if (identity !== "") query.append("refresh_token", identity);
    const isForm = identity !== "";
    const response = await egress.request(url.href, {
      method: isForm ? "POST" : "GET",
      headers: {
        ...(isForm ? { "content-type": "application/x-www-form-urlencoded" } : {}),
        ...(!isForm && credentials !== null ? { authorization: basic(credentials) } : {}),
      },
      ...(isForm ? { body: `${query.toString()}&client_id=sluice` } : {}),
      // The administrator named the registry, not whom that names.
      trusted: trusted && url.hostname === URL.parse(`http://${host}`)?.hostname,
      signal,
    });
    if (response.status !== 200) {
      response.body.destroy();
      if (response.status >= 500 || response.status === 429)
        throw new SluiceError("EGRESS_FAILED", `its token service answers ${response.status}`);
      throw response.status === 404
        ? this.#unreachable("its token service answers 404")
        : this.#refusal(response.status);
    }
    const { data } = tokenAnswer.safeParse(jsonOrNull(await readBounded(response.body, MAX_TOKEN_BYTES)));
    const token = data?.token ?? data?.access_token;
    if (token === undefined || !IN_A_HEADER.test(token)) throw this.#unreachable("its token service gives no token");
    const seconds = data?.expires_in ?? DEFAULT_TOKEN_SECONDS;
    return { header: `Bearer ${token}`, until: performance.now() + seconds * 1000 - TOKEN_MARGIN_MS };
  }

  #refusal(status: number): SluiceError {
    const { image, credentials, host } = this.#options;
    if (status === 404)
      return new SluiceError(
        "IMAGE_UNKNOWN",
        `Cannot find the image "${image}": ${host} has none of that name and tag`,
      );
    if (status === 401 || status === 403) {
      const why =
        credentials === null
          ? "it is private, or not there (name its credentials in image_pull_secrets)"
          : "these credentials are not enough, or it is not there";
      return new SluiceError("IMAGE_DENIED", `Cannot get the image "${image}" from ${host}: ${why}`);
    }
    return this.#unreachable(`it answers ${status}`);
  }

  #lacks(digest: string): SluiceError {
    const { image, host } = this.#options;
    return new SluiceError("IMAGE_UNKNOWN", `Cannot get the image "${image}" from ${host}: its part ${digest} is gone`);
  }

  #unreachable(why: string, cause?: unknown): SluiceError {
    const { image, host } = this.#options;
    return new SluiceError("REGISTRY_UNREACHABLE", `Cannot get the image "${image}" from ${host}: ${why}`, { cause });
  }
}

type Outcome =
  | { readonly response: EgressResponse }
  | { readonly why: string; readonly afterMs: number | null; readonly cause?: unknown };

/** What a header may hold. */
const IN_A_HEADER = /^[\x21-\x7e]+$/;

const basic = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Seconds or a date; null for neither. */
function retryAfterMs(header: string | undefined): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

function jsonOrNull(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
}
