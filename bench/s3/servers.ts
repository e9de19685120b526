import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cleanEnv, startServer } from "../../test/support/server.ts";
import { peerProgram } from "./peers.ts";

/** Where requests go. */
export interface Target {
  readonly name: string;
  readonly port: number;
  readonly credentials: { readonly accessKeyId: string; readonly secretKey: string };
}

/** A server under load. */
export interface Contender extends Target {
  readonly pid: number;
  stop(): Promise<void>;
}

const PEER_KEYS = { accessKeyId: "benchuser", secretKey: "benchsecret-0123456789" };
const READY_WITHIN_MS = 30_000;

export type ContenderName = "sluice" | "minio" | "versitygw";

/** Starts a server that keeps its data in a new folder below `folder`. Null when the peer is not installed. */
export async function startContender(name: ContenderName, folder: string): Promise<Contender | null> {
  if (name === "sluice") return startSluice(join(folder, "sluice"));
  const program = peerProgram(name);
  if (program === null) return null;
  const data = join(folder, name);
  await mkdir(data, { recursive: true });
  const port = await freePort();
  const { accessKeyId, secretKey } = PEER_KEYS;
  const address = `127.0.0.1:${port}`;
  const args =
    name === "minio"
      ? ["server", "--quiet", "--address", address, data]
      : ["--quiet", "--keep-alive", "--port", address, "--access", accessKeyId, "--secret", secretKey, "posix", data];
  const env = { ...cleanEnv(), MINIO_ROOT_USER: accessKeyId, MINIO_ROOT_PASSWORD: secretKey, MINIO_BROWSER: "off" };
  const child = spawn(program, args, { env, stdio: "ignore" });
  await accepting(child, name, port);
  return { name, port, credentials: PEER_KEYS, pid: child.pid ?? 0, stop: () => stopPeer(child) };
}

async function startSluice(data: string): Promise<Contender> {
  const server = await startServer({ data });
  const { access_key, secret_key } = server.admin;
  return {
    name: "sluice",
    port: Number(new URL(server.s3).port),
    credentials: { accessKeyId: access_key, secretKey: secret_key },
    pid: server.pid,
    stop: async () => void (await server.stop()),
  };
}

async function stopPeer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}

async function accepting(child: ChildProcess, name: string, port: number): Promise<void> {
  const until = Date.now() + READY_WITHIN_MS;
  while (!(await connects(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it was ready`);
    if (Date.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`${name} is not ready after ${READY_WITHIN_MS} ms`);
    }
    await sleep(100);
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
