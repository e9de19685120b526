import { objectPath, requestTarget, signRequest } from "../../src/s3/sign-request.ts";
import type { QueryPair } from "../../src/s3/uri-encoding.ts";
import type { Target } from "./servers.ts";

export interface Ask {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly bucket: string;
  readonly key?: string;
  readonly query?: readonly QueryPair[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly bodyBytes?: number;
  /** Default: UNSIGNED-PAYLOAD. */
  readonly payloadHash?: string;
}

/** Request line and signed headers as they go on the wire, good for 15 minutes. */
export function signedHead(server: Target, ask: Ask): string {
  const path = objectPath(ask.bucket, ask.key);
  const query = ask.query ?? [];
  const headers = signRequest(
    {
      method: ask.method,
      host: `127.0.0.1:${server.port}`,
      path,
      query,
      ...(ask.headers === undefined ? {} : { headers: ask.headers }),
      ...(ask.payloadHash === undefined ? {} : { payloadHash: ask.payloadHash }),
    },
    { credentials: server.credentials, at: Date.now() },
  );
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = ask.bodyBytes === undefined ? "" : `content-length: ${ask.bodyBytes}\r\n`;
  return `${ask.method} ${requestTarget(path, query)} HTTP/1.1\r\n${lines.join("")}${length}\r\n`;
}

/** One request outside the clock. @throws when the status is not 2xx */
export async function ask(server: Target, request: Ask, body?: string): Promise<string> {
  const bytes = Buffer.from(body ?? "");
  const headers = new Headers();
  const head = signedHead(server, request);
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(": ");
    if (colon > 0) headers.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const target = head.split(" ", 2)[1] ?? "/";
  const answer = await fetch(`http://127.0.0.1:${server.port}${target}`, {
    method: request.method,
    headers,
    ...(bytes.length === 0 ? {} : { body: bytes }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${server.name}: ${request.method} ${target} answered ${answer.status}: ${text}`);
  return text;
}
