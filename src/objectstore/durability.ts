import { SluiceError } from "../core/errors.ts";
import { syncFile, systemCode } from "./disk-io.ts";
import type { FolderSync } from "./folder-sync.ts";

/** Ends the process after a failed fsync: the kernel may have dropped the pages and marked them clean, so that a second fsync would
 *  succeed over lost data. Nothing that was acknowledged depends on the failed one; the next start finds a consistent store. */
export function endProcess(error: SluiceError): void {
  process.stderr.write(`sluice: ${error.code}: ${error.message}\n`);
  process.exit(70);
}

const UPLOAD_ALONE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

/** fsync of blobs and their folders, with one answer to its failure. */
export class Durability {
  readonly #folders: FolderSync;
  readonly #onSyncError: (error: SluiceError) => void;

  constructor(folders: FolderSync, onSyncError: (error: SluiceError) => void) {
    this.#folders = folders;
    this.#onSyncError = onSyncError;
  }

  /** Bytes and name of a new blob are durable when it resolves. Both fsyncs run side by side, and neither is left running: a descriptor must
   *  not be closed under it. */
  async syncBlob(fd: number, folder: string): Promise<void> {
    const results = await Promise.allSettled([this.guard(syncFile(fd)), this.guard(this.#folders.sync(folder))]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** A full disk (file systems that allocate late say so only here) fails the upload alone: its file is thrown away, so nothing relies on the
   *  pages that were dropped. So do too many open files, which opening the folder says, before any fsync. Every other failure ends the process. */
  async guard(sync: Promise<void>): Promise<void> {
    try {
      await sync;
    } catch (error) {
      const code = systemCode(error);
      if (code !== undefined && UPLOAD_ALONE.has(code)) throw error;
      const message = `Cannot keep the bytes that were written: fsync failed with ${code ?? error} (check the disk, then start again)`;
      const fatal = new SluiceError("INTERNAL", message, { cause: error });
      this.#onSyncError(fatal);
      throw fatal;
    }
  }
}
