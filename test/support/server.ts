import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const SLUICE_BIN = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));

const READY_WITHIN_MS = 30_000;
/** The default drain (30 s), what follows it, and some air. */
const STOPPED_WITHIN_MS = 60_000;
/** A server's log can be long; a failing test needs its end. */
const KEPT_LOG_CHARACTERS = 200_000;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program's file. Default: this checkout's. */
  readonly bin?: string;
  /** The command is killed after this time. Default 2 minutes. */
  readonly timeoutMs?: number;
}

export interface ServerOptions {
  /** A data directory to start on. Default: a new one, removed by `stop`. */
  readonly data?: string;
  /** More arguments for `sluice up`. */
  readonly args?: readonly string[];
  /** More environment for the server: `SLUICE_CRASH_AT`, `SLUICE_ADMIN_USER` … */
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments to run the server under: `strace`, `systemd-run` … */
  readonly under?: readonly string[];
  /** The program's file, also for `cli`. Default: this checkout's. */
  readonly bin?: string;
}

/** What `DIR/admin.json` holds. */
interface AdminCredentials {
  readonly user: string;
  readonly password: string;
  readonly access_key: string;
  readonly secret_key: string;
}

export interface RunningServer {
  readonly api: string;
  readonly s3: string;
  readonly data: string;
  /** Of the server itself, whatever it runs under. */
  readonly pid: number;
  readonly admin: AdminCredentials;
  /** The environment that points the CLI at this server, and at nothing of the person who runs the tests. */
  readonly env: NodeJS.ProcessEnv;
  /** Resolves with the exit code, or the signal's name, once the process is gone. */
  readonly exited: Promise<number | string>;
  /** The end of what the server wrote on stderr so far. */
  log(): string;
  /** SIGTERM, then waits; removes the data directory when this helper made it. @returns the exit code */
  stop(): Promise<number | string>;
  /** SIGKILL, then waits. The data directory stays: start again with `{ data }`. */
  kill9(): Promise<void>;
  /** Runs the real CLI against this server. */
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>;
}

/** The tests' own environment without anything that would point the CLI or a server somewhere. */
export function cleanEnv(): NodeJS.ProcessEnv {
  const foreign = /^(SLUICE_|AWS_|VITEST|NODE_OPTIONS$|NODE_ENV$|NODE_COMPILE_CACHE$|XDG_CONFIG_HOME$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** A new folder that the sandboxes' users can walk through, as a data directory's parents must be. */
export async function newFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
  await chmod(folder, 0o711);
  return folder;
}

/** Runs the CLI as its own process. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv, options: CliOptions = {}): Promise<CliResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CliResult>();
  const child = spawn(process.execPath, [options.bin ?? SLUICE_BIN, ...args], {
    env: { ...env, ...options.env },
    cwd: options.cwd,
    timeout: options.timeoutMs ?? 120_000,
    killSignal: "SIGKILL",
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.on("error", reject);
  child.on("close", (code) =>
    resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
  );
  // A command that ends without reading its input closes the pipe: that is its right.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return promise;
}

/** Starts `sluice up` on free ports as its own process and waits until it says that it is ready. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const parent = options.data === undefined ? await newFolder("e2e") : null;
  const data = options.data ?? join(parent ?? "", "data");
  const bin = options.bin ?? SLUICE_BIN;
  const argv = [bin, "up", "--data", data, "--port", "0", "--s3-port", "0", "--json", ...(options.args ?? [])];
  const [program = process.execPath, ...before] = [...(options.under ?? []), process.execPath];
  const child = spawn(program, [...before, ...argv], {
    env: { ...cleanEnv(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise<number | string>((resolve) =>
    child.on("exit", (code, signal) => resolve(code ?? signal ?? "gone")),
  );
  const log = keepEnd(child);
  try {
    const ready = await readyLine(child, exited, log);
    const admin = await credentials(data, options.env);
    const { pid }: { pid: number } = JSON.parse(await readFile(join(data, "server.json"), "utf8"));
    return running({ ...ready, bin, data, pid, admin, exited, log, parent });
  } catch (error) {
    child.kill("SIGKILL");
    if (parent !== null) await rm(parent, { recursive: true, force: true });
    throw error;
  }
}

interface Started {
  readonly bin: string;
  readonly api: string;
  readonly s3: string;
  readonly data: string;
  readonly pid: number;
  readonly admin: AdminCredentials;
  readonly exited: Promise<number | string>;
  readonly log: () => string;
  readonly parent: string | null;
}

function running({ bin, api, s3, data, pid, admin, exited, log, parent }: Started): RunningServer {
  const home = parent ?? data;
  const env: NodeJS.ProcessEnv = {
    ...cleanEnv(),
    HOME: home,
    SLUICE_ENDPOINT: api,
    SLUICE_ADMIN_USER: admin.user,
    SLUICE_ADMIN_PASSWORD: admin.password,
  };
  return {
    api,
    s3,
    data,
    pid,
    admin,
    env,
    exited,
    log,
    cli: (args, cliOptions) => runCli(args, env, { bin, ...cliOptions }),
    kill9: async () => {
      process.kill(pid, "SIGKILL");
      await exited;
    },
    stop: async () => {
      process.kill(pid, "SIGTERM");
      const code = await within(STOPPED_WITHIN_MS, exited, () => `The server did not stop:\n${log()}`).catch(
        (error) => {
          process.kill(pid, "SIGKILL");
          throw error;
        },
      );
      if (parent !== null) await rm(parent, { recursive: true, force: true });
      return code;
    },
  };
}

async function credentials(data: string, env: Readonly<Record<string, string>> = {}): Promise<AdminCredentials> {
  const written: Partial<AdminCredentials> = JSON.parse(
    await readFile(join(data, "admin.json"), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "{}";
      throw error;
    }),
  );
  return {
    user: env.SLUICE_ADMIN_USER ?? written.user ?? "",
    password: env.SLUICE_ADMIN_PASSWORD ?? written.password ?? "",
    access_key: env.SLUICE_ACCESS_KEY ?? written.access_key ?? "",
    secret_key: env.SLUICE_SECRET_KEY ?? written.secret_key ?? "",
  };
}

function keepEnd(child: ChildProcess): () => string {
  let kept = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    kept = (kept + chunk.toString()).slice(-KEPT_LOG_CHARACTERS);
  });
  return () => kept;
}

async function readyLine(
  child: ChildProcess,
  exited: Promise<number | string>,
  log: () => string,
): Promise<{ api: string; s3: string }> {
  const line = new Promise<string>((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
  });
  const ended = exited.then((code) => {
    throw new Error(`The server ended with ${code} before it was ready:\n${log()}`);
  });
  ended.catch(() => {});
  const text = await within(READY_WITHIN_MS, Promise.race([line, ended]), () => `The server is not ready:\n${log()}`);
  return JSON.parse(text);
}

async function within<T>(ms: number, promise: Promise<T>, otherwise: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(otherwise())), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
