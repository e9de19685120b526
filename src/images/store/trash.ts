import { randomUUID } from "node:crypto";
import { lstatSync, readdirSync, renameSync } from "node:fs";
import { basename } from "node:path";
import type { Log } from "../../lib/log.ts";
import type { ImagesUser } from "../drop-rights.ts";
import type { RemovalJob } from "../remove-folders.ts";
import { runChild } from "./child.ts";
import type { StoreLayout } from "./layout.ts";

/** Linux takes no more than 128 KiB in one argument. */
const FOLDERS_A_CHILD = 500;

/** Removes folders of layers: they go at once, by a new name, and their bytes a little later, in a process with the rights of the images user. */
export class Trash {
  readonly #layout: StoreLayout;
  readonly #user: ImagesUser | null;
  readonly #log: Log;
  #emptying: Promise<boolean> | null = null;

  constructor(layout: StoreLayout, user: ImagesUser | null, log: Log) {
    [this.#layout, this.#user, this.#log] = [layout, user, log];
  }

  /** The path is free when this returns. One that does not exist is no error. */
  take(path: string): void {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    renameSync(path, `${this.#layout.trash}/${basename(path)}-${randomUUID()}`);
    void this.empty();
  }

  /** Resolves when all that was in it before is gone, or (false) could not be removed, which the log says. Never rejects. */
  async empty(): Promise<boolean> {
    await this.#emptying;
    this.#emptying ??= this.#removeAll().finally(() => {
      this.#emptying = null;
    });
    return await this.#emptying;
  }

  async #removeAll(): Promise<boolean> {
    try {
      const names = readdirSync(this.#layout.trash);
      for (let at = 0; at < names.length; at += FOLDERS_A_CHILD) {
        const folders = names.slice(at, at + FOLDERS_A_CHILD).map((name) => `trash/${name}`);
        const job: RemovalJob = { user: this.#user, folders };
        await runChild({ program: "remove-folders", job, folder: this.#layout.folder, input: null, signal: null });
      }
      return true;
    } catch (error) {
      this.#log.error("cannot remove layers of images", { folder: this.#layout.trash, error });
      return false;
    }
  }
}
