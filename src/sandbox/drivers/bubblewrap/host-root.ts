import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import { SluiceError } from "../../../core/errors.ts";
import { errno } from "../../../lib/errno.ts";
import { EtcFolder } from "./etc-folder.ts";

export interface HostRootOptions {
  /** Where the made /etc is kept: owned by the server, readable by every slot's user. */
  readonly runtimeFolder: string;
  /** Paths of the machine that scripts see beyond the allow-list, read-only. */
  readonly extraPaths: readonly string[];
  /** Folders that no sandbox may see even where a path of the list holds them: the data directory. */
  readonly privatePaths: readonly string[];
  /** Who a script is inside. */
  readonly insideUid: number;
  readonly insideGid: number;
}

/** Top folders of the machine that hold programs and libraries, besides `lib*`. */
const PROGRAM_FOLDERS = ["usr", "bin", "sbin", "opt"];

/** The `host` image: an allow-list of the machine's own files, read-only, as options for bubblewrap.
 *
 *  Each mount costs a start about 55 µs, so /etc is one folder that Sluice makes from the listed files, not one mount each.
 *  Never mounted: /home, /root, /run, /var, /tmp, /srv, /mnt, /media, /sys: they hold secrets, sockets and other people's files
 *  (a Unix socket can be connected to through a read-only mount and without a network). */
export class HostRoot {
  readonly #options: HostRootOptions;
  readonly #etc: EtcFolder;
  readonly #programs: readonly string[];
  readonly #extras: readonly string[];

  /** @throws SluiceError CONFIG_INVALID when an extra path is not absolute, absent, or would show the data directory */
  constructor(options: HostRootOptions) {
    this.#options = options;
    this.#programs = programOptions();
    for (const path of options.extraPaths) checkExtra(path, options.privatePaths);
    this.#extras = options.extraPaths.flatMap((path) => ["--ro-bind", path, path]);
    this.#etc = new EtcFolder(options);
  }

  /** Bubblewrap's options for the read-only part. Re-reads /etc at most every few seconds. */
  mounts(): string[] {
    const hidden = this.#options.privatePaths.filter((path) => this.#shows(path));
    return [
      ...this.#programs,
      "--ro-bind",
      this.#etc.current(),
      "/etc",
      ...this.#extras,
      ...hidden.flatMap((path) => ["--tmpfs", path, "--remount-ro", path]),
    ];
  }

  /** True when a mounted folder holds the path. */
  #shows(path: string): boolean {
    const mounted = [...PROGRAM_FOLDERS.map((name) => `/${name}`), ...this.#options.extraPaths];
    return mounted.some((folder) => isWithin(path, folder));
  }
}

function programOptions(): string[] {
  const names = [...PROGRAM_FOLDERS, ...readdirSync("/").filter((name) => name.startsWith("lib"))];
  return names.flatMap((name) => {
    const path = `/${name}`;
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) return ["--symlink", readlinkSync(path), path];
    if (!stats?.isDirectory() || isEmpty(path)) return [];
    return ["--ro-bind", path, path];
  });
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch (error) {
    if (errno(error) === "EACCES") return true;
    throw error;
  }
}

function checkExtra(path: string, privatePaths: readonly string[]): void {
  const refuse = (why: string): never => {
    throw new SluiceError("CONFIG_INVALID", `Cannot show '${path}' to scripts: ${why}`);
  };
  if (!isAbsolute(path) || normalize(path) !== path || path === "/")
    refuse("it is not the absolute path of a folder or file");
  if (statSync(path, { throwIfNoEntry: false }) === undefined) refuse("it does not exist");
  for (const place of privatePaths) if (isWithin(path, place)) refuse(`it lies in '${place}', which is private`);
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
