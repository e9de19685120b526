import { join } from "node:path";
import type { Credentials } from "../client/client.ts";
import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import type { Io } from "./io.ts";
import { readPrivate, writePrivate } from "./private-file.ts";

/** A remembered server. */
export interface Context {
  readonly endpoint: string;
  readonly credentials: Credentials;
}

export interface Contexts {
  readonly current: string | null;
  readonly all: ReadonlyMap<string, Context>;
}

export const contextsFile = (io: Pick<Io, "home">): string => join(io.home, ".config", "sluice", "config.yaml");

/** Cluster ids that always mean the server being talked to, so they cannot name another one. */
const RESERVED = ["local", "default-cluster"];

/** @throws SluiceError USAGE */
export function checkContextName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new SluiceError("USAGE", `Cannot use "${name}" as a context name: use letters, digits, ".", "_" and "-"`);
  }
  if (RESERVED.includes(name)) {
    throw new SluiceError("USAGE", `Cannot use "${name}" as a context name: it means the server being talked to`);
  }
}

/** The remembered servers; none when the file does not exist. @throws SluiceError FORBIDDEN, CONFIG_INVALID */
export async function readContexts(io: Pick<Io, "home">): Promise<Contexts> {
  const file = contextsFile(io);
  const text = await readPrivate(file);
  if (text === null) return { current: null, all: new Map() };
  const { parse } = await import("yaml");
  try {
    return fromFile(parse(text));
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : "it is not YAML";
    throw new SluiceError(
      "CONFIG_INVALID",
      `Cannot read "${file}": ${why} (mend it, or remove it and: sluice login URL)`,
    );
  }
}

/** @throws SluiceError FORBIDDEN, DISK_FULL */
export async function writeContexts(io: Pick<Io, "home">, contexts: Contexts): Promise<void> {
  const { stringify } = await import("yaml");
  const named = Object.fromEntries([...contexts.all].map(([name, context]) => [name, toFile(context)]));
  await writePrivate(contextsFile(io), stringify({ current: contexts.current, contexts: named }));
}

/** @throws SluiceError USAGE with the nearest name */
export function contextNamed(contexts: Contexts, name: string): Context {
  const context = contexts.all.get(name);
  if (context !== undefined) return context;
  const close = nearest(name, [...contexts.all.keys()]);
  const hint = close === null ? "see: sluice context list" : `did you mean "${close}"?`;
  throw new SluiceError("USAGE", `Cannot use the context "${name}": there is none of that name (${hint})`);
}

function toFile({ endpoint, credentials }: Context): Record<string, string> {
  if (credentials.kind === "basic") return { endpoint, user: credentials.user, password: credentials.password };
  return credentials.kind === "bearer" ? { endpoint, token: credentials.token } : { endpoint };
}

function fromFile(value: unknown): Contexts {
  const { current, contexts } = record(value ?? {}, "the file");
  const all = Object.entries(record(contexts ?? {}, "contexts")).map(
    ([name, entry]) => [name, fromEntry(record(entry, `contexts.${name}`), name)] as const,
  );
  return { current: current === undefined || current === null ? null : string(current, "current"), all: new Map(all) };
}

function fromEntry(entry: Record<string, unknown>, name: string): Context {
  const endpoint = string(entry.endpoint, `contexts.${name}.endpoint`);
  if (entry.token !== undefined) {
    return { endpoint, credentials: { kind: "bearer", token: string(entry.token, `contexts.${name}.token`) } };
  }
  if (entry.user === undefined) return { endpoint, credentials: { kind: "none" } };
  const user = string(entry.user, `contexts.${name}.user`);
  return {
    endpoint,
    credentials: { kind: "basic", user, password: string(entry.password, `contexts.${name}.password`) },
  };
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SluiceError("CONFIG_INVALID", `${where} must be a mapping`);
  }
  return { ...value };
}

function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw new SluiceError("CONFIG_INVALID", `${where} must be a text`);
  return value;
}
