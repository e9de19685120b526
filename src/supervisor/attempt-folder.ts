import { lstatSync, mkdirSync, readdirSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { overwriteFile } from "../lib/overwrite-file.ts";
import type { SandboxMount } from "../sandbox/sandbox.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

const SUBFOLDERS = ["in", "out", "home", "tmp"];
const SCRIPT = "script";
const EVENT = "event.json";
/** Outputs small enough to go into their rows stay behind; a script that leaves more than a few gets a new folder instead. */
const MAX_LEFT_OUTPUTS = 16;
const OWNER_FOLDER = 0o700;
const OWN_UID = process.geteuid?.() ?? 0;

/** An attempt's own folder on the store's file system (decision 6), so that outputs can be renamed into the store and one limit holds for all
 *  of it. As few folders and mounts as there can be: a mount costs each start of a sandbox some 80 µs, a folder as much to make and remove.
 *  The script may write in all of it, so once it has run nothing in here is what it was until looked at without following links. */
export class AttemptFolder {
  #path: string;
  readonly #made: ReadonlyMap<string, Stats>;
  /** Name of the file in `in` that the input is mounted on. */
  #mountPoint: string | null = null;
  /** Name of a file with the bytes of the attempt before. */
  #stale: string | null = null;

  private constructor(path: string, made: ReadonlyMap<string, Stats>) {
    this.#path = path;
    this.#made = made;
  }

  /** @throws errors of the file system, EEXIST too */
  static make(path: string): AttemptFolder {
    mkdirSync(path, OWNER_FOLDER);
    for (const name of SUBFOLDERS) mkdirSync(`${path}/${name}`, OWNER_FOLDER);
    return new AttemptFolder(path, new Map(["", ...SUBFOLDERS].map((name) => [name, lstatSync(`${path}/${name}`)])));
  }

  get path(): string {
    return this.#path;
  }

  /** Host path of TMP_OUTPUT_DIR. */
  get output(): string {
    return `${this.#path}/out`;
  }

  get mounts(): SandboxMount[] {
    return [
      { kind: "folder", source: this.#path, target: SCRIPT_PATHS.root, readOnly: false },
      { kind: "folder", source: `${this.#path}/tmp`, target: SCRIPT_PATHS.tmp, readOnly: false },
    ];
  }

  fill(script: string, event: string): void {
    overwriteFile(`${this.#path}/${SCRIPT}`, script);
    overwriteFile(`${this.#path}/${EVENT}`, event);
  }

  /** Makes `in` hold an empty file of this name to mount the input on, or nothing. */
  setMountPoint(name: string | null): void {
    const before = this.#mountPoint;
    this.#mountPoint = name;
    if (before === name) return;
    if (name === null) unlinkSync(`${this.#path}/in/${before}`);
    else if (before === null) overwriteFile(`${this.#path}/in/${name}`, "");
    else renameSync(`${this.#path}/in/${before}`, `${this.#path}/in/${name}`);
  }

  /** Removes the input's bytes of the attempt before, unless this attempt's were written over them, at `input`. Call it before the script starts. */
  dropStale(input: string | null): void {
    const stale = this.#stale;
    this.#stale = null;
    if (stale !== null && input !== `${this.#path}/${stale}`) unlinkSync(`${this.#path}/${stale}`);
  }

  move(path: string): void {
    renameSync(this.#path, path);
    this.#path = path;
  }

  /** Empties `out`, and says whether all is as it was made: the same folders with the same rights, nothing in them, files without a second name.
   *  The sandbox must be gone. False when in doubt. */
  restore(): boolean {
    try {
      return this.#foldersAreOurs() && this.#topIsOurs() && this.#insideIsOurs();
    } catch {
      return false;
    }
  }

  #foldersAreOurs(): boolean {
    return [...this.#made].every(([name, made]) => {
      const now = lstatSync(`${this.#path}/${name}`);
      const same = now.isDirectory() && now.ino === made.ino && now.dev === made.dev && now.nlink === made.nlink;
      return same && now.uid === OWN_UID && (now.mode & 0o7777) === OWNER_FOLDER && now.size === made.size;
    });
  }

  /** Besides our own files there may be one more, the input's bytes. */
  #topIsOurs(): boolean {
    const files = readdirSync(this.#path).filter((name) => !SUBFOLDERS.includes(name));
    const [stale, ...more] = files.filter((name) => name !== SCRIPT && name !== EVENT);
    this.#stale = stale ?? null;
    const hasOurs = files.includes(SCRIPT) && files.includes(EVENT);
    return hasOurs && more.length === 0 && files.every((name) => isPlain(lstatSync(`${this.#path}/${name}`)));
  }

  #insideIsOurs(): boolean {
    const [mounted, ...more] = readdirSync(`${this.#path}/in`);
    if (more.length > 0 || (mounted ?? null) !== this.#mountPoint) return false;
    if (mounted !== undefined) {
      const stats = lstatSync(`${this.#path}/in/${mounted}`);
      if (!isPlain(stats) || stats.size > 0) return false;
    }
    return ["home", "tmp"].every((name) => readdirSync(`${this.#path}/${name}`).length === 0) && this.#emptyOutput();
  }

  #emptyOutput(): boolean {
    const left = readdirSync(this.output, { withFileTypes: true });
    if (left.length > MAX_LEFT_OUTPUTS || !left.every((entry) => entry.isFile())) return false;
    for (const { name } of left) unlinkSync(`${this.output}/${name}`);
    return true;
  }
}

const isPlain = (stats: Stats): boolean => stats.isFile() && stats.nlink === 1 && stats.uid === OWN_UID;
