import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SluiceError } from "../core/errors.ts";

const BIN = join(fileURLToPath(new URL("../../", import.meta.url)), "bin", "sluice.js");
const READY_WITHIN_MS = 30_000;
const LOG_TAIL_CHARACTERS = 2000;

/** A server of our own, in its own process and session: Ctrl-C reaches the demo alone, which then stops it in order. */
export interface DemoServer {
  readonly api: string;
  readonly s3: string;
  readonly pid: number;
  /** Drains it and waits until it is gone. */
  stop(): Promise<void>;
  /** Lets it run on after this process ends. */
  leave(): void;
}

/** Starts `sluice up` on free ports. What it logs goes to `logFile`.
 *  @throws SluiceError UNREACHABLE with the end of its log when it does not become ready */
export async function startDemoServer(data: string, logFile: string): Promise<DemoServer> {
  const log = await open(logFile, "w", 0o600);
  const argv = [BIN, "up", "--data", data, "--port", "0", "--s3-port", "0", "--json"];
  const child = spawn(process.execPath, argv, { detached: true, stdio: ["ignore", "pipe", log.fd] });
  await log.close();
  const gone = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const line = await Promise.race([
    firstLine(child),
    gone.then(() => null),
    sleep(READY_WITHIN_MS, null, { ref: false }),
  ]);
  if (line === null) {
    child.kill("SIGKILL");
    throw await notReady(logFile);
  }
  const { api, s3 }: { api: string; s3: string } = JSON.parse(line);
  return {
    api,
    s3,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGTERM");
      await gone;
    },
    leave: () => {
      child.stdout?.destroy();
      child.unref();
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
  });
  return promise;
}

async function notReady(logFile: string): Promise<SluiceError> {
  const said = (await readFile(logFile, "utf8")).slice(-LOG_TAIL_CHARACTERS).trim();
  return new SluiceError(
    "UNREACHABLE",
    `Cannot start the demo's server: it did not become ready (its log is ${logFile})\n${said}`,
  );
}
