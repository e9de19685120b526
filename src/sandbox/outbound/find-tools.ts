import { accessSync, constants } from "node:fs";

/** Programs that work in a network namespace, by their paths. */
export interface NamespaceTools {
  readonly nsenter: string;
  readonly ip: string;
}

/** These, and the one that hands on what is sent in it. */
export interface OutboundTools extends NamespaceTools {
  readonly slirp: string;
}

interface Missing {
  readonly missing: readonly string[];
}

const FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The programs, or the names of those that are missing. */
export function findNamespaceTools(): NamespaceTools | Missing {
  return findTools({ nsenter: "nsenter", ip: "ip" });
}

export function findOutboundTools(): OutboundTools | Missing {
  return findTools({ slirp: "slirp4netns", nsenter: "nsenter", ip: "ip" });
}

function findTools<Key extends string>(names: Readonly<Record<Key, string>>): Record<Key, string> | Missing {
  const found = Object.entries<string>(names).map(([key, name]) => [key, find(name)] as const);
  const missing = found.flatMap(([key, path]) => (path === null ? [names[key as Key]] : []));
  return missing.length > 0 ? { missing } : (Object.fromEntries(found) as Record<Key, string>);
}

function find(name: string): string | null {
  return FOLDERS.map((folder) => `${folder}/${name}`).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
