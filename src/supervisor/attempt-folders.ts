import { existsSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import type { Log } from "../lib/log.ts";
import { removeTree } from "../lib/remove-tree.ts";
import { AttemptFolder } from "./attempt-folder.ts";
import { makeWorkFolder } from "./work-folder.ts";

/** Spare folders at once; more attempts than this seldom run at the same time. */
const MAX_SPARES = 32;
/** After this long without an attempt there are no folders left. */
const IDLE_MS = 500;

interface Spare {
  readonly revisionId: string;
  readonly folder: AttemptFolder;
}

/** Hands out attempts' folders below `DIR/work`, and takes them back.
 *  ```
 *  new ─take─▶ <job id>.<attempt> ─giveBack─▶ .spare-N ─take by the same revision─▶ <job id>.<attempt> …
 *                                    └─ not as it was made ─▶ removed          └─ idle, too many, close ─▶ removed
 *  ```
 *  Reuse, because making and removing them is dear: a third of all that a short job costs here. On ext4 without a journal it is worse than that, as each
 *  new inode is looked for behind all that were removed in the last minutes. Only where the script ended well, only for jobs of one revision (they run one
 *  script for one owner), and only where the sandbox says that the inodes are untouched: see `AttemptFolder.restore`. */
export class AttemptFolders {
  readonly #workFolder: string;
  readonly #slotsGid: number | null;
  readonly #log: Log;
  readonly #spares: Spare[] = [];
  #count = 0;
  #active = 0;
  #idle: NodeJS.Timeout | null = null;
  #closed = false;

  /** @param slotsGid group of the sandboxes' users, when the server is root */
  constructor(workFolder: string, slotsGid: number | null, log: Log) {
    this.#workFolder = workFolder;
    this.#slotsGid = slotsGid;
    this.#log = log;
  }

  /** `<workFolder>/<id>` with script and event in it. What a crash left under that name is removed first. Somebody may have removed the work
   *  folder itself: it is made again, as long as the data directory is there.
   *
   *  The calls are synchronous on purpose: each takes some microseconds, a promise more than that, and every job comes by here.
   *  @throws errors of the file system */
  async take(id: string, revisionId: string, content: { script: string; event: string }): Promise<AttemptFolder> {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) {
      throw new SluiceError("INTERNAL", `Cannot make a folder for attempt "${id}": the id is no file name`);
    }
    const path = `${this.#workFolder}/${id}`;
    const folder = this.#takeSpare(revisionId, path) ?? (await this.#make(path));
    this.#active += 1;
    if (this.#idle !== null) clearTimeout(this.#idle);
    try {
      folder.fill(content.script, content.event);
      return folder;
    } catch (error) {
      await this.giveBack(folder, null, new Set());
      throw error;
    }
  }

  /** All processes of the sandbox must be gone. Never throws: what cannot be removed is said in the log, and removed at the next start.
   *  @param revisionId of the attempt when its script ended well; null removes the folder
   *  @param untouched of the sandbox's instance */
  async giveBack(folder: AttemptFolder, revisionId: string | null, untouched: ReadonlySet<string>): Promise<void> {
    this.#active -= 1;
    if (revisionId !== null && !this.#closed && folder.restore(untouched)) await this.#keep(folder, revisionId);
    else await this.#remove(folder);
    if (this.#active === 0) this.#idle = setTimeout(() => void this.#removeSpares(0), IDLE_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.#removeSpares(0);
  }

  #takeSpare(revisionId: string, path: string): AttemptFolder | null {
    const index = this.#spares.findLastIndex((spare) => spare.revisionId === revisionId);
    const [spare] = index < 0 ? [] : this.#spares.splice(index, 1);
    if (spare === undefined) return null;
    try {
      spare.folder.move(path);
      return spare.folder;
    } catch (error) {
      this.#log.warn("cannot use the folder of an earlier attempt", { error });
      void this.#remove(spare.folder);
      return null;
    }
  }

  async #make(path: string): Promise<AttemptFolder> {
    try {
      return await makeFolder(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || existsSync(this.#workFolder)) throw error;
      makeWorkFolder(this.#workFolder, this.#slotsGid);
      this.#log.error("the work folder was gone while the server runs: it was made again, attempts in it failed");
      return await makeFolder(path);
    }
  }

  async #keep(folder: AttemptFolder, revisionId: string): Promise<void> {
    this.#count += 1;
    folder.move(`${this.#workFolder}/.spare-${this.#count}`);
    this.#spares.push({ revisionId, folder });
    await this.#removeSpares(MAX_SPARES);
  }

  /** Removes the oldest until `kept` are left. */
  async #removeSpares(kept: number): Promise<void> {
    const removed = this.#spares.splice(0, Math.max(0, this.#spares.length - kept));
    for (const { folder } of removed) await this.#remove(folder);
  }

  async #remove(folder: AttemptFolder): Promise<void> {
    try {
      await removeTree(folder.path);
    } catch (error) {
      this.#log.error("cannot remove the folder of an attempt", { error });
    }
  }
}

async function makeFolder(path: string): Promise<AttemptFolder> {
  try {
    return AttemptFolder.make(path);
  } catch (error) {
    await removeTree(path);
    if (codeOf(error) === "EEXIST") return AttemptFolder.make(path);
    throw error;
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
