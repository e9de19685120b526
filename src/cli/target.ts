import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Credentials } from "../client/client.ts";
import { SluiceError } from "../core/errors.ts";
import { type Context, contextNamed, readContexts } from "./contexts.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { Io } from "./io.ts";
import { isTrustedFolder, readPrivate } from "./private-file.ts";
import { askSecret } from "./prompt.ts";
import type { ServerFlags } from "./server-options.ts";

/** The server to talk to, and what said so. */
export interface Target extends Context {
  readonly from: "flags" | "environment" | "context" | "data";
  /** The context's name, or the data directory. */
  readonly name: string | null;
}

const DEFAULT_DATA = "./sluice-data";

/** Finds the server: flags, then environment, then the current context, then the data directory here. Credentials found for one server are
 *  never sent to another.
 *  @throws SluiceError UNREACHABLE when nothing names a server, FORBIDDEN, USAGE, CONFIG_INVALID */
export async function findTarget(flags: ServerFlags, io: Io): Promise<Target> {
  const found = (await namedByFlags(flags, io)) ?? (await namedByCircumstance(io));
  if (found === null) {
    throw new SluiceError(
      "UNREACHABLE",
      "Cannot find a server: none is named and none runs on ./sluice-data (start it with: npx sluice up; or name one: sluice login URL)",
    );
  }
  const given = await credentialsFromFlags(flags, io);
  return given === null ? found : { ...found, credentials: given };
}

async function namedByFlags(flags: ServerFlags, io: Io): Promise<Target | null> {
  const named = [flags.endpoint, flags.context, flags.data].filter((each) => each !== undefined);
  if (named.length > 1) {
    throw new SluiceError("USAGE", "Cannot choose a server: give one of --endpoint, --context and --data");
  }
  if (flags.context !== undefined) {
    return { ...contextNamed(await readContexts(io), flags.context), from: "context", name: flags.context };
  }
  if (flags.data !== undefined) return onData(flags.data, io, true);
  if (flags.endpoint === undefined) return null;
  const endpoint = parseEndpoint(flags.endpoint);
  const credentials = credentialsFromEnv(io) ?? (await rememberedFor(endpoint, io)) ?? { kind: "none" };
  return { endpoint, credentials, from: "flags", name: null };
}

async function namedByCircumstance(io: Io): Promise<Target | null> {
  const address = io.env.SLUICE_ENDPOINT ?? "";
  if (address !== "") {
    const endpoint = parseEndpoint(address);
    const credentials = credentialsFromEnv(io) ?? (await rememberedFor(endpoint, io)) ?? { kind: "none" };
    return { endpoint, credentials, from: "environment", name: null };
  }
  const contexts = await readContexts(io);
  if (contexts.current !== null) {
    return { ...contextNamed(contexts, contexts.current), from: "context", name: contexts.current };
  }
  return onData(DEFAULT_DATA, io, false);
}

async function credentialsFromFlags(flags: ServerFlags, io: Io): Promise<Credentials | null> {
  if (flags.token !== undefined && flags.user !== undefined) {
    throw new SluiceError("USAGE", "Cannot choose credentials: give --token or --user, not both");
  }
  if (flags.token !== undefined) return { kind: "bearer", token: flags.token };
  if (flags.user === undefined) {
    if (flags.password === undefined) return null;
    throw new SluiceError("USAGE", "Cannot use --password alone: give --user too");
  }
  const password = flags.password ?? io.env.SLUICE_ADMIN_PASSWORD ?? (await askSecret(io, `Password of ${flags.user}`));
  return { kind: "basic", user: flags.user, password };
}

function credentialsFromEnv({ env }: Io): Credentials | null {
  if ((env.SLUICE_TOKEN ?? "") !== "") return { kind: "bearer", token: env.SLUICE_TOKEN ?? "" };
  const user = env.SLUICE_ADMIN_USER ?? "";
  return user === "" ? null : { kind: "basic", user, password: env.SLUICE_ADMIN_PASSWORD ?? "" };
}

async function rememberedFor(endpoint: string, io: Io): Promise<Credentials | null> {
  const { all } = await readContexts(io);
  return [...all.values()].find((context) => context.endpoint === endpoint)?.credentials ?? null;
}

/** The server that runs on a data directory, by what it wrote there. */
async function onData(folder: string, io: Io, asked: boolean): Promise<Target | null> {
  const data = resolve(io.cwd, folder);
  const isTrusted = await isTrustedFolder(data);
  if (asked && !isTrusted && existsSync(data)) {
    const cure = "run this as that user, or name the server with --endpoint";
    throw new SluiceError("FORBIDDEN", `Cannot use "${folder}": it is no folder of this user or root (${cure})`);
  }
  const server = isTrusted ? await readPrivate(join(data, "server.json")) : null;
  if (server === null) {
    if (!asked) return null;
    throw new SluiceError(
      "UNREACHABLE",
      `Cannot find a server: none runs on "${folder}" (start it with: npx sluice up --data ${folder})`,
    );
  }
  const { api } = facts(server, join(data, "server.json"));
  return { endpoint: parseEndpoint(api ?? ""), credentials: await adminOf(data, io), from: "data", name: folder };
}

/** Credentials in the environment override what the server wrote, for the server as for us. */
async function adminOf(data: string, io: Io): Promise<Credentials> {
  const admin = await readPrivate(join(data, "admin.json"));
  const written = admin === null ? {} : facts(admin, join(data, "admin.json"));
  const user = io.env.SLUICE_ADMIN_USER ?? written.user;
  const password = io.env.SLUICE_ADMIN_PASSWORD ?? written.password;
  return user === undefined || password === undefined ? { kind: "none" } : { kind: "basic", user, password };
}

function facts(text: string, path: string): Partial<Record<"api" | "user" | "password", string>> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SluiceError("CONFIG_INVALID", `Cannot read "${path}": it is not JSON (restart the server)`, { cause });
  }
}
