import {
  chmodSync,
  copyFileSync,
  type Dirent,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import type { HostRootOptions } from "./host-root.ts";

/** What a script sees of /etc: names, or patterns with one `*`. Everything else stays out, secrets first of all. */
const LISTED = ["passwd", "group", "nsswitch.conf", "ld.so.*", "alternatives", "ssl/certs", "fonts", "ImageMagick-*"];

/** The machine's files may change (a package is installed, certificates are renewed): looked at again after this time. */
const FRESH_FOR_MS = 5_000;
/** Files larger than this are not configuration. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const OTHERS_READ = 0o004;

export const HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/** A copy of the listed part of /etc, with hosts and resolv.conf of its own and an account for the script. Only what everybody on the
 *  machine may read is copied: the server may be root. A changed source makes a new copy beside the old one, which running sandboxes
 *  still see. */
export class EtcFolder {
  readonly #options: HostRootOptions;
  #number = 0;
  #signature = "";
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HostRootOptions) {
    this.#options = options;
  }

  /** The folder to mount. */
  current(): string {
    const now = performance.now();
    if (now - this.#checkedAt > FRESH_FOR_MS) {
      this.#checkedAt = now;
      const signature = sourceSignature();
      if (signature !== this.#signature) this.#make(++this.#number);
      this.#signature = signature;
    }
    return this.#path(this.#number);
  }

  #path(number: number): string {
    return `${this.#options.runtimeFolder}/etc-${number}`;
  }

  #make(number: number): void {
    const folder = this.#path(number);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o755 });
    for (const name of listedNames()) copyInto(`/etc/${name}`, `${folder}/${name}`);
    const { insideUid: uid, insideGid: gid, extraPaths } = this.#options;
    prependLine(`${folder}/passwd`, `sluice:x:${uid}:${gid}:Sluice sandbox:/tmp:/bin/sh`);
    prependLine(`${folder}/group`, `sluice:x:${gid}:`);
    writeFileSync(`${folder}/hosts`, HOSTS);
    writeFileSync(`${folder}/resolv.conf`, "");
    for (const path of extraPaths) if (path.startsWith("/etc/")) makeMountPoint(path, `${folder}/${path.slice(5)}`);
  }
}

function listedNames(): string[] {
  return LISTED.flatMap((pattern) => {
    const star = pattern.indexOf("*");
    if (star < 0) return [pattern];
    return readdirSync("/etc").filter((name) => name.startsWith(pattern.slice(0, star)));
  });
}

/** Changes when a listed file or folder was replaced, or a folder's entries changed. */
function sourceSignature(): string {
  return listedNames()
    .map((name) => {
      const stats = statSync(`/etc/${name}`, { throwIfNoEntry: false });
      return stats === undefined ? "" : `${name}:${stats.ino}:${stats.mtimeMs}:${stats.size}`;
    })
    .join("\n");
}

/** Copies what everybody may read. Links that lead out of /etc, or to a neighbour, stay links (scripts see /usr, and the neighbour is
 *  copied too); others become what they stand for, because their target may not be listed. */
function copyInto(source: string, target: string): void {
  const stats = tryStat(source);
  if (stats === null || (stats.mode & OTHERS_READ) === 0) return;
  if (stats.isDirectory()) {
    mkdirSync(target, { recursive: true, mode: 0o755 });
    for (const entry of readdirSync(source, { withFileTypes: true })) copyEntry(entry, source, target);
  } else if (stats.isFile() && stats.size <= MAX_FILE_BYTES) {
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    copyFileSync(source, target);
    chmodSync(target, 0o444);
  }
}

function copyEntry(entry: Dirent, source: string, target: string): void {
  const [from, to] = [`${source}/${entry.name}`, `${target}/${entry.name}`];
  const link = entry.isSymbolicLink() ? readlinkSync(from) : null;
  if (link !== null && staysLink(from, link)) symlinkSync(link, to);
  else copyInto(from, to);
}

function staysLink(from: string, link: string): boolean {
  if (!link.includes("/")) return true;
  if (link.startsWith("/")) return !link.startsWith("/etc/");
  try {
    return !realpathSync.native(from).startsWith("/etc/");
  } catch {
    return true;
  }
}

function tryStat(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** First, so that it wins over an account of the machine with the same id or name. */
function prependLine(path: string, line: string): void {
  const rest = tryStat(path) === null ? "" : readFileSync(path, "utf8");
  rmSync(path, { force: true });
  writeFileSync(path, `${line}\n${rest}`, { mode: 0o444 });
}

/** Bubblewrap cannot make a mount point in a read-only folder: it is made here. */
function makeMountPoint(source: string, target: string): void {
  if (tryStat(target) !== null) return;
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  if (statSync(source).isDirectory()) mkdirSync(target, { mode: 0o755 });
  else writeFileSync(target, "", { mode: 0o444 });
}
