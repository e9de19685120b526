import { accessSync, constants } from "node:fs";
import type { OutboundTools } from "./outbound.ts";

const FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The programs that an outbound network needs, or the names of those that are missing. */
export function findOutboundTools(): OutboundTools | { readonly missing: readonly string[] } {
  const [slirp, nsenter, ip] = ["slirp4netns", "nsenter", "ip"].map(find);
  if (slirp && nsenter && ip) return { slirp, nsenter, ip };
  const names = { slirp4netns: slirp, nsenter, ip };
  return { missing: Object.entries(names).flatMap(([name, path]) => (path ? [] : [name])) };
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
