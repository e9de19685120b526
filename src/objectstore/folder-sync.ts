import { constants } from "node:fs";
import { closeFile, openFile, syncFile } from "./disk-io.ts";

/** Folders whose descriptors are kept; more are open only while more are being synced. */
const MOST_OPEN = 8;

interface Folder {
  readonly fd: Promise<number>;
  /** The fsync under way, and the one that starts after it. */
  running: Promise<void> | null;
  next: Promise<void> | null;
}

/** Makes names durable: fsync of folders, shared by all who wait for the same one.
 *
 *  Rule: an fsync that STARTS after my name was made (or moved) covers me; one that is already running may have read the folder before.
 *  So a caller that finds one running joins the next, and any number of callers wait for two at most. */
export class FolderSync {
  readonly #folders = new Map<string, Folder>();
  readonly #syncFile: (fd: number) => Promise<void>;

  /** @param sync fsync, which a test may watch */
  constructor(sync: (fd: number) => Promise<void> = syncFile) {
    this.#syncFile = sync;
  }

  /** Resolves when every name made in the folder before this call is durable. Rejects with the system's error. */
  sync(path: string): Promise<void> {
    const folder = this.#folder(path);
    if (folder.running === null) return this.#start(folder);
    folder.next ??= folder.running.then(
      () => this.#start(folder),
      () => this.#start(folder),
    );
    return folder.next;
  }

  #start(folder: Folder): Promise<void> {
    folder.next = null;
    const running = folder.fd.then(this.#syncFile).finally(() => {
      if (folder.running === running) folder.running = null;
    });
    folder.running = running;
    return running;
  }

  /** Descriptors stay open, because opening costs as much as a small write, but only of the folders that were used last: new blobs stay in
   *  one folder for a while, and a process may not have many files open. */
  #folder(path: string): Folder {
    const known = this.#folders.get(path);
    if (known !== undefined) {
      this.#folders.delete(path);
      this.#folders.set(path, known);
      return known;
    }
    this.#closeOldest();
    const folder: Folder = {
      fd: openFile(path, constants.O_RDONLY | constants.O_DIRECTORY),
      running: null,
      next: null,
    };
    this.#folders.set(path, folder);
    folder.fd.catch(() => this.#folders.delete(path));
    return folder;
  }

  #closeOldest(): void {
    for (const [path, folder] of this.#folders) {
      if (this.#folders.size < MOST_OPEN) return;
      if (folder.running !== null || folder.next !== null) continue;
      this.#folders.delete(path);
      void folder.fd.then(closeFile);
    }
  }

  async close(): Promise<void> {
    const folders = [...this.#folders.values()];
    this.#folders.clear();
    for (const folder of folders) {
      await (folder.next ?? folder.running)?.catch(() => undefined);
      await closeFile(await folder.fd);
    }
  }
}
