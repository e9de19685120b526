import { answerError, notOurs, unreachable } from "./answer-error.ts";

/** How to prove who asks. */
export type Credentials =
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "none" };

export interface HttpOptions {
  /** The API's address without a trailing slash: `http://127.0.0.1:8080`. */
  readonly endpoint: string;
  readonly credentials: Credentials;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface HttpCall {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Parts of the path; each is encoded. */
  readonly path: readonly string[];
  /** Undefined values are left out, lists are joined with commas. */
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array | Blob | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  /** `once`: the answer must be complete within 2 minutes. `lasting`: it may take any time, until `signal` aborts. */
  readonly takes?: "once" | "lasting";
  readonly signal?: AbortSignal;
  /** Statuses of 400 and more that are answers. */
  readonly accept?: readonly number[];
}

const ONCE_WITHIN_MS = 120_000;

/** Calls of one server. @throws SluiceError with the server's code, or UNREACHABLE; an aborted call throws the signal's reason */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = { ...options, endpoint: options.endpoint.replace(/\/+$/, "") };
  }

  get endpoint(): string {
    return this.#options.endpoint;
  }

  async call(call: HttpCall): Promise<Response> {
    const { method = "GET", takes = "once" } = call;
    const signal = takes === "once" ? AbortSignal.timeout(ONCE_WITHIN_MS) : (call.signal ?? null);
    const send = this.#options.fetch ?? fetch;
    let response: Response;
    try {
      response = await send(this.#url(call), { method, headers: this.#headers(call), signal, ...bodyOf(call) });
    } catch (cause) {
      call.signal?.throwIfAborted();
      throw unreachable(this.endpoint, cause);
    }
    if (response.ok || call.accept?.includes(response.status)) return response;
    throw await answerError(response, `${method} /${call.path.join("/")}`);
  }

  async json<T>(call: HttpCall): Promise<T> {
    const response = await this.call(call);
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw cause instanceof SyntaxError ? notOurs(this.endpoint, cause) : unreachable(this.endpoint, cause);
    }
  }

  /** The bytes of an answer as they come. An abort ends them quietly. */
  async *bytes(call: HttpCall): AsyncGenerator<Uint8Array> {
    try {
      const { body } = await this.call({ ...call, takes: "lasting" });
      if (body !== null) yield* chunksOf(body);
    } catch (error) {
      if (call.signal?.aborted) return;
      throw error instanceof Error && error.name === "SluiceError" ? error : unreachable(this.endpoint, error);
    }
  }

  #url({ path, query = {} }: HttpCall): string {
    const pairs = Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${encodeURIComponent(Array.isArray(value) ? value.join(",") : String(value))}`);
    const tail = pairs.length === 0 ? "" : `?${pairs.join("&")}`;
    return `${this.endpoint}/${path.map(encodeURIComponent).join("/")}${tail}`;
  }

  #headers({ headers = {}, json }: HttpCall): Record<string, string> {
    return {
      ...authorization(this.#options.credentials),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    };
  }
}

function authorization(credentials: Credentials): Record<string, string> {
  if (credentials.kind === "none") return {};
  if (credentials.kind === "bearer") return { authorization: `Bearer ${credentials.token}` };
  const bytes = new TextEncoder().encode(`${credentials.user}:${credentials.password}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

function bodyOf({ json, body }: HttpCall): RequestInit {
  if (json !== undefined) return { body: JSON.stringify(json) };
  if (body === undefined) return {};
  if (typeof body === "string" || body instanceof Blob) return { body };
  if (body instanceof Uint8Array) return { body: new Uint8Array(body) };
  return { body: streamOf(body), duplex: "half" } as RequestInit;
}

/** Browsers know no `ReadableStream.from` yet. */
function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

/** Browsers' streams cannot be iterated yet. Leaving early cancels the answer. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
