import { lookup as systemLookup } from "node:dns/promises";
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { SluiceError } from "../core/errors.ts";
import { type AddressKind, addressKind } from "./address-kind.ts";
import { request as plainRequest } from "./node-http.ts";

export interface EgressRules {
  /** Hosts, as `name` or `name:port`, that the operator named: any address they have is allowed, and plain HTTP. */
  readonly namedHosts: readonly string[];
  /** False refuses private networks (10/8, 192.168/16, fc00::/7 …) to whoever is not trusted. */
  readonly allowPrivate: boolean;
  /** Ports that this server listens on: nobody reaches them by a detour. */
  readonly ownPorts: () => readonly number[];
  /** Every address of a name. Default: the system's. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

export interface EgressRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** True for what the administrator asks for: loopback is allowed, with plain HTTP, and private networks. */
  readonly trusted: boolean;
  readonly signal: AbortSignal;
}

export interface EgressResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
  /** Where it came from, after redirects. */
  readonly url: URL;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
/** No byte for so long ends a call. */
const IDLE_MS = 60_000;
const CONNECT_MS = 15_000;
const ALWAYS_REFUSED: readonly AddressKind[] = ["link-local", "metadata", "multicast", "unspecified"];

/** The only way out to addresses that users supply (decision 19). A name is looked up once and the connection goes to the address that was judged,
 *  so that a name server cannot answer otherwise the second time; each redirect is judged anew, and credentials stay with the host they are for. */
export class Egress {
  readonly #rules: EgressRules;

  constructor(rules: EgressRules) {
    this.#rules = rules;
  }

  /** Sends a request and follows redirects (not of a POST).
   *  @throws SluiceError EGRESS_REFUSED for an address that this server does not call; EGRESS_FAILED when nobody answers as they should */
  async request(address: string, options: EgressRequest): Promise<EgressResponse> {
    let url = urlOf(address);
    let { headers, trusted } = options;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(url, { ...options, headers, trusted });
      const location = response.headers.location;
      if (options.method === "POST" || location === undefined || !REDIRECTS.includes(response.status)) return response;
      response.body.destroy();
      if (redirects === MAX_REDIRECTS) throw failed(url, `it redirects more than ${MAX_REDIRECTS} times`);
      const next = urlOf(location, url);
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      // Who is trusted to name this machine does not speak for hosts that others name.
      trusted &&= next.hostname === url.hostname;
      url = next;
    }
  }

  async #send(url: URL, options: EgressRequest): Promise<EgressResponse> {
    const address = await this.#addressFor(url, options.trusted);
    const send = url.protocol === "https:" ? process.getBuiltinModule("node:https").request : plainRequest;
    const settings: RequestOptions = {
      method: options.method,
      headers: { host: url.host, ...options.headers },
      signal: options.signal,
      timeout: CONNECT_MS,
      agent: false,
      // The address that was judged, whatever the name means by now.
      lookup: (_name, { all }, done) =>
        all ? done(null, [{ address, family: isIP(address) }]) : done(null, address, isIP(address)),
    };
    return await new Promise((resolve, reject) => {
      const call = send(url, settings, (body) => {
        body.setTimeout(IDLE_MS, () => body.destroy(failed(url, "it sent nothing for a minute")));
        resolve({ status: body.statusCode ?? 0, headers: body.headers, body, url });
      });
      call.on("timeout", () => call.destroy(failed(url, "it does not answer")));
      call.on("error", (error) => reject(options.signal.aborted ? options.signal.reason : inOurWords(url, error)));
      call.on("socket", (socket) => socket.once("connect", () => call.setTimeout(IDLE_MS)));
      call.end(options.body);
    });
  }

  /** The address to connect to. */
  async #addressFor(url: URL, trusted: boolean): Promise<string> {
    const host = bareHost(url);
    const isNamed = this.#isNamed(url);
    const addresses = isIP(host) === 0 ? await this.#lookup(url, host) : [host];
    const [first] = addresses;
    if (first === undefined) throw failed(url, "its name has no address");
    if (isNamed) return first;
    const found = addresses.map((address) => ({ address, why: this.#refusal(url, address, trusted) }));
    // A name that leads to a forbidden address among others is a trick, and refused as a whole.
    const refused = found.find(({ why }) => why !== null);
    if (refused !== undefined) throw new SluiceError("EGRESS_REFUSED", `Cannot call ${url.origin}: ${refused.why}`);
    return first;
  }

  #refusal(url: URL, address: string, trusted: boolean): string | null {
    const kind = addressKind(address);
    if (ALWAYS_REFUSED.includes(kind)) return `its address is a ${kind} one`;
    const isLoopback = kind === "loopback";
    if (isLoopback && !trusted) return "it is this machine itself, which only the administrator may name";
    if (kind === "private" && !trusted && !this.#rules.allowPrivate) return "it is in a private network";
    if (!trusted && this.#isOurs(address, portOf(url))) return "it is this server itself";
    if (url.protocol === "http:" && !isLoopback) return "plain HTTP is for hosts that the configuration names";
    return null;
  }

  #isNamed(url: URL): boolean {
    const { namedHosts } = this.#rules;
    return namedHosts.includes(url.host) || namedHosts.includes(url.hostname) || namedHosts.includes(bareHost(url));
  }

  #isOurs(address: string, port: number): boolean {
    if (!this.#rules.ownPorts().includes(port)) return false;
    return Object.values(networkInterfaces()).some((all) => all?.some((each) => each.address === address));
  }

  async #lookup(url: URL, host: string): Promise<readonly string[]> {
    try {
      if (this.#rules.lookup !== undefined) return await this.#rules.lookup(host);
      return (await systemLookup(host, { all: true, order: "verbatim" })).map(({ address }) => address);
    } catch (error) {
      throw failed(url, "its name is not known", error);
    }
  }
}

function urlOf(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new SluiceError(
      "EGRESS_REFUSED",
      `Cannot call ${JSON.stringify(text.slice(0, 200))}: it is no http or https address`,
    );
  }
  url.username = "";
  url.password = "";
  return url;
}

const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");

const portOf = (url: URL): number => (url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port));

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  const secret = ["authorization", "cookie", "proxy-authorization"];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secret.includes(name.toLowerCase())));
}

function failed(url: URL, why: string, cause?: unknown): SluiceError {
  return new SluiceError("EGRESS_FAILED", `Cannot call ${url.origin}: ${why}`, { cause });
}

function inOurWords(url: URL, error: Error): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = "code" in error ? String(error.code) : "";
  return failed(url, code === "ECONNREFUSED" ? "nobody listens there" : error.message, error);
}
