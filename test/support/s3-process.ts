import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { S3Client } from "@aws-sdk/client-s3";
import { requestTarget, signRequest, type UnsignedRequest } from "../../src/s3/sign-request.ts";
import type { S3ServerConfig } from "./s3-server.ts";

const SERVER = fileURLToPath(new URL("./s3-server.ts", import.meta.url));

export const ACCESS_KEY = "AKIDTEST";
export const SECRET_KEY = "secret+with/odd=characters";

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The code of S3's error form, or undefined. */
  readonly code: string | undefined;
  readonly informed: boolean;
}

interface CallOptions {
  readonly body?: Uint8Array | string;
  /** Headers to send unsigned, or instead of the signed ones. */
  readonly extra?: Readonly<Record<string, string>>;
  /** When the request says it was signed, UTC ms. */
  readonly at?: number;
  readonly secretKey?: string;
}

/** The object store alone, in a process of its own. */
export interface S3Process {
  readonly port: number;
  readonly host: string;
  readonly endpoint: string;
  readonly data: string;
  readonly client: S3Client;
  /** What the server wrote to its log so far. */
  log(): string;
  /** Signs and sends one request on a connection of its own. */
  call(request: Omit<UnsignedRequest, "host">, options?: CallOptions): Promise<Answer>;
  /** A connection of its own. */
  connect(): Promise<Socket>;
  /** The server's process, its open descriptors, and its event loop's delay since the last look. */
  health(): Promise<{ readonly pid: number; readonly descriptors: number; readonly loopP99Ms: number }>;
  /** Highest resident memory so far, bytes. */
  peakMemory(): number;
  kill(): Promise<void>;
  /** Ends the server and removes its data, unless they were given. */
  stop(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

export async function startS3(config: Partial<S3ServerConfig> = {}): Promise<S3Process> {
  const data = config.data ?? mkdtempSync(join(tmpdir(), "sluice-s3-"));
  const full: S3ServerConfig = { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, ...config, data };
  const child = spawn(process.execPath, [SERVER, JSON.stringify(full)], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const port = await readyPort(child, () => log);
  const host = `127.0.0.1:${port}`;
  const endpoint = `http://${host}`;
  const client = new S3Client({
    endpoint,
    region: "eu-south-2",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    client.destroy();
    child.kill(signal);
    await ended;
  };
  return {
    port,
    host,
    endpoint,
    data,
    client,
    log: () => log,
    call: (request, options) => call(port, { ...request, host }, options),
    connect: () => connected(port),
    async health() {
      const said = new Promise<{ loopP99Ms: number }>((resolve) =>
        child.stdout.once("data", (line: Buffer) => resolve(JSON.parse(line.toString()))),
      );
      child.kill("SIGUSR2");
      const { loopP99Ms } = await said;
      return { pid: child.pid ?? 0, descriptors: readdirSync(`/proc/${child.pid}/fd`).length, loopP99Ms };
    },
    peakMemory: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024,
    kill: () => end("SIGKILL"),
    async stop() {
      await end("SIGTERM");
      if (config.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

function readyPort(child: ChildProcess, log: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error(`The S3 server ended at once: ${log()}`)));
    child.stdout?.once("data", (line: Buffer) => resolve((JSON.parse(line.toString()) as { port: number }).port));
  });
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

function call(port: number, request: UnsignedRequest, options: CallOptions = {}): Promise<Answer> {
  const credentials = { accessKeyId: ACCESS_KEY, secretKey: options.secretKey ?? SECRET_KEY };
  const headers: Record<string, string> = {
    ...signRequest(request, { credentials, at: options.at ?? Date.now() }),
    ...options.extra,
  };
  // A client that announces the end of its connection may be cut off while it still sends a body that was refused: this one ends it itself.
  headers.connection ??= "keep-alive";
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      port,
      host: "127.0.0.1",
      method: request.method,
      path: requestTarget(request.path, request.query),
      headers,
      agent: false,
    });
    let informed = false;
    outgoing.on("continue", () => {
      informed = true;
      outgoing.end(options.body);
    });
    outgoing.once("response", async (answer) => {
      const body = await buffer(answer);
      const code = /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1];
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body, code, informed });
      outgoing.destroy();
    });
    outgoing.once("error", reject);
    if (headers.expect === undefined) outgoing.end(options.body);
    else outgoing.flushHeaders();
  });
}

/** Writes a request as text (and bytes) on a connection, and reads until the server closes it. */
export async function exchange(
  socket: Socket,
  parts: ReadonlyArray<string | Uint8Array>,
  thenEnd = true,
): Promise<string> {
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
  });
  const closed = new Promise<void>((resolve) => {
    socket.once("end", resolve);
    socket.once("close", () => resolve());
    socket.once("error", () => resolve());
  });
  for (const part of parts) socket.write(part);
  if (thenEnd) socket.end();
  await closed;
  socket.destroy();
  return answer;
}
