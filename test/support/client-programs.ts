import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { ACCESS_KEY, SECRET_KEY } from "./s3-process.ts";
import { cleanEnv } from "./server.ts";

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "sluice");
/** Where scripts/setup.sh puts what it installs for the tests alone: --clients the Python ones, --peers those built by Go. */
const OWN_FOLDERS = [join(CACHE, "clients", "bin"), join(CACHE, "peers")];

/** The path of a program (named, or given as a path), or null where it is not installed: that client's tests are then to be skipped, and the reason is printed.
 *  @throws Error where SLUICE_REQUIRE_CLIENTS is 1, as in CI, in which a client that went missing would go unnoticed */
export function clientProgram(name: string): string | null {
  const found = optionalProgram(name);
  if (found !== null) return found;
  return missing(`${name} is not installed (bash scripts/setup.sh --clients installs it)`);
}

/** As {@link clientProgram}, for a client that no machine must have. */
export function optionalProgram(name: string): string | null {
  if (name.startsWith("/")) return isProgram(name) ? name : null;
  const places = [...OWN_FOLDERS, ...(process.env.PATH ?? "").split(":")].map((folder) => join(folder, name));
  return places.find(isProgram) ?? null;
}

/** Says that something a client needs is not here, and returns null. @throws Error where every client is required */
export function missing(reason: string): null {
  if (process.env.SLUICE_REQUIRE_CLIENTS === "1") throw new Error(`Cannot run every client: ${reason}`);
  console.warn(`${reason}: its tests are skipped`);
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A folder for a client's home and files, made when it is first asked for; `remove` it at the end. */
export function clientHome(): { readonly path: string; remove(): void } {
  let path: string | undefined;
  return {
    get path() {
      path ??= mkdtempSync(join(tmpdir(), "sluice-client-"));
      return path;
    },
    remove() {
      if (path !== undefined) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** What AWS's own programs read, and nothing of the person who runs the tests. */
export function awsEnv(home: string, endpoint: string): NodeJS.ProcessEnv {
  return {
    ...cleanEnv(),
    HOME: home,
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    AWS_DEFAULT_REGION: "eu-south-2",
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_MAX_ATTEMPTS: "1",
    AWS_PAGER: "",
  };
}

/** A remote called `s` for rclone. */
export function rcloneEnv(home: string, endpoint: string, provider: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: home,
    RCLONE_CONFIG: "/dev/null",
    RCLONE_CONFIG_S_TYPE: "s3",
    RCLONE_CONFIG_S_PROVIDER: provider,
    RCLONE_CONFIG_S_ACCESS_KEY_ID: ACCESS_KEY,
    RCLONE_CONFIG_S_SECRET_ACCESS_KEY: SECRET_KEY,
    RCLONE_CONFIG_S_ENDPOINT: endpoint,
  };
}

export interface ProgramResult {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
}

/** Runs a program to its end, whatever that is. */
export function tryProgram(
  path: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(path, args, { env: options.env, cwd: options.cwd, stdio: "pipe" });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program may end without reading what it is given.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

/** Runs a program that must succeed. @returns its stdout as text. @throws Error with all it wrote when it does not end with 0 */
export async function runProgram(path: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryProgram(path, args, options);
  if (code !== 0) throw new Error(`${path} ${args.join(" ")} ended with ${code}: ${stderr}\n${stdout}`);
  return stdout.toString();
}
