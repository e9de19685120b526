import { mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { overwriteFile } from "../lib/overwrite-file.ts";
import type { SandboxMount } from "../sandbox/sandbox.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

const OUTPUT = "out";
const SUBFOLDERS = ["in", OUTPUT, "home", "tmp"];
const SCRIPT = "script";
const EVENT = "event.json";
const KEPT = [...SUBFOLDERS, SCRIPT, EVENT];
/** Outputs small enough to go into their rows stay behind; a script that leaves more than a few gets a new folder instead. */
const MAX_LEFT_OUTPUTS = 16;
const OWNER_FOLDER = 0o700;

/** An attempt's own folder on the store's file system (decision 6), so that outputs can be renamed into the store and one limit holds for all
 *  of it. As few folders and mounts as there can be: a mount costs each start of a sandbox some 80 µs, a folder as much to make and remove.
 *  The script may write in all of it, so once it has run nothing in here is what it was until looked at without following links. */
export class AttemptFolder {
  #path: string;
  /** Name of the file in `in` that the input is mounted on. */
  #mountPoint: string | null = null;
  /** Name of a file with the bytes of the attempt before. */
  #stale: string | null = null;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws errors of the file system, EEXIST too */
  static make(path: string): AttemptFolder {
    mkdirSync(path, OWNER_FOLDER);
    for (const name of SUBFOLDERS) mkdirSync(`${path}/${name}`, OWNER_FOLDER);
    return new AttemptFolder(path);
  }

  get path(): string {
    return this.#path;
  }

  /** Host path of TMP_OUTPUT_DIR. */
  get output(): string {
    return `${this.#path}/${OUTPUT}`;
  }

  get mounts(): SandboxMount[] {
    return [
      { kind: "folder", source: this.#path, target: SCRIPT_PATHS.root, readOnly: false },
      { kind: "folder", source: `${this.#path}/tmp`, target: SCRIPT_PATHS.tmp, readOnly: false },
    ];
  }

  /** Paths of all that is in it before a script runs, relative to it. @param input what `dropStale` was told */
  entries(input: string | null): string[] {
    const mountPoint = this.#mountPoint === null ? [] : [`in/${this.#mountPoint}`];
    const copied = input !== null && dirname(input) === this.#path ? [basename(input)] : [];
    return [...KEPT, ...mountPoint, ...copied];
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

  /** Makes the folder ready for another attempt: `out` is a new one, all else is as the server left it. False where that cannot be said: a single
   *  attribute, access list, time or reserved block of an earlier attempt would reach the next one. The sandbox must be gone.
   *  @param untouched of the sandbox's instance */
  restore(untouched: ReadonlySet<string>): boolean {
    try {
      const names = readdirSync(this.#path).filter((name) => name !== OUTPUT);
      if (!["", ...names].every((name) => untouched.has(name))) return false;
      const [stale, ...more] = names.filter((name) => !KEPT.includes(name));
      this.#stale = stale ?? null;
      return more.length === 0 && this.#renewOutput();
    } catch {
      return false;
    }
  }

  #renewOutput(): boolean {
    const left = readdirSync(this.output, { withFileTypes: true });
    if (left.length > MAX_LEFT_OUTPUTS || !left.every((entry) => entry.isFile())) return false;
    for (const { name } of left) unlinkSync(`${this.output}/${name}`);
    rmdirSync(this.output);
    mkdirSync(this.output, OWNER_FOLDER);
    return true;
  }
}
