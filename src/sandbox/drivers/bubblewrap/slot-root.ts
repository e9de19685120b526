import { chownSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { removeTree } from "../../../lib/remove-tree.ts";
import type { SandboxSpec } from "../../sandbox.ts";
import { type FolderSize, measureFolder } from "../../work-folder.ts";
import type { SlotUser } from "./slot.ts";

/** Sandboxes with the same one may use each other's changes; null for those that may not. */
export function reuseKey({ root, tenant, reuse }: Pick<SandboxSpec, "root" | "tenant" | "reuse">): string | null {
  return reuse === true && root.kind === "image" ? JSON.stringify([tenant, root.digest, root.user]) : null;
}

const OWNER_FOLDER = 0o700;
const NO_LIMIT: FolderSize = { bytes: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY };
/** The upper folder itself. */
const EMPTY_FILES = 1;

/** Where the sandboxes of a slot, one after the other, change their roots: `upper` and `work` of an overlay, beside the work folders and so on the store's
 *  file system. Most scripts change nothing in the root of an image. Then the overlay stays mounted for the next sandbox on the same image, which saves
 *  two programs and half of a start; a single change, and everything is made anew. */
export class SlotRoot {
  readonly #index: number;
  readonly #user: SlotUser | null;
  #folder: string | null = null;
  /** What the launcher has mounted over the folder; null for nothing that can be used again. */
  mounted: string | null = null;
  /** Whose changes lie here for a next sandbox (see `reuseKey`); null where there are none, or nobody's. */
  keptFor: string | null = null;

  constructor(index: number, user: SlotUser | null) {
    [this.#index, this.#user] = [index, user];
  }

  /** Makes the folder where it is not there. @returns its path */
  prepare(workFolder: string): string {
    const folder = `${dirname(workFolder)}/.root-${this.#index}`;
    if (this.#folder !== folder || lstatSync(`${folder}/upper`, { throwIfNoEntry: false }) === undefined) {
      this.mounted = null;
      for (const path of [folder, `${folder}/upper`, `${folder}/work`]) {
        mkdirSync(path, { recursive: true, mode: OWNER_FOLDER });
        if (this.#user !== null) chownSync(path, this.#user.uid, this.#user.gid);
      }
    }
    this.#folder = folder;
    return folder;
  }

  /** What the changes take of the disk; stops early beyond the limits. */
  async size(limits = NO_LIMIT): Promise<FolderSize> {
    if (this.#folder === null || this.isUnchanged) return { bytes: 0, files: 0 };
    const { bytes, files } = await measureFolder(`${this.#folder}/upper`, limits);
    return { bytes, files: Math.max(0, files - EMPTY_FILES) };
  }

  get isUnchanged(): boolean {
    return this.#folder === null || readdirSync(`${this.#folder}/upper`).length === 0;
  }

  /** Removes the changes; nothing may be mounted over them. */
  async clear(): Promise<void> {
    [this.mounted, this.keptFor] = [null, null];
    if (this.#folder !== null) await removeTree(this.#folder);
    this.#folder = null;
  }
}
