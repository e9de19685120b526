import type { SandboxLimits } from "../../sandbox.ts";
import { privateBytes } from "./proc-table.ts";
import type { Slot } from "./slot.ts";
import { addSizes, type FolderSize, measureFolder } from "./work-folder.ts";

export type WatchedLimit = "memory" | "disk" | "files";

/** Time between looks; also before the first, so that short jobs never pay for one. */
const LOOK_EVERY_MS = 200;
/** A look at a large folder takes its time: then looks come rarer, and take at most a fifth of one core. */
const REST_PER_LOOK = 4;

/** Looks every 200 ms at what no kernel limit holds: bytes and files of the work folder and of the changes to the root (allocated, deleted files that are still open
 *  not included), memory where there is no control group, and processes killed for memory where the group does not end as one.
 *  Calls `exceeded` once. */
export class LimitWatch {
  readonly #slot: Slot;
  readonly #folder: string;
  readonly #limits: SandboxLimits;
  readonly #exceeded: (limit: WatchedLimit) => void;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(slot: Slot, folder: string, limits: SandboxLimits, exceeded: (limit: WatchedLimit) => void) {
    this.#slot = slot;
    this.#folder = folder;
    this.#limits = limits;
    this.#exceeded = exceeded;
    this.#lookIn(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #lookIn(waitMs: number): void {
    this.#timer = setTimeout(() => {
      const begun = performance.now();
      this.#look().then(
        (limit) => {
          if (this.#stopped) return;
          if (limit !== null) this.#exceeded(limit);
          else this.#lookIn(Math.max(LOOK_EVERY_MS, REST_PER_LOOK * (performance.now() - begun)));
        },
        // The folder was moved under the walk by the script: look again, the size at the end counts anyway.
        () => {
          if (!this.#stopped) this.#lookIn(LOOK_EVERY_MS);
        },
      );
    }, waitMs);
  }

  async #look(): Promise<WatchedLimit | null> {
    if (this.#memoryExceeded()) return "memory";
    const allowed = { bytes: this.#limits.diskBytes, files: this.#limits.files };
    return sizeLimit(
      addSizes(await measureFolder(this.#folder, allowed), await this.#slot.root.size(allowed)),
      allowed,
    );
  }

  #memoryExceeded(): boolean {
    const { cgroup } = this.#slot;
    if (cgroup === null) return privateBytes(this.#slot.scriptProcesses()) > this.#limits.memoryBytes;
    return !cgroup.oomEndsAll && cgroup.counts().oomKills > 0;
  }
}

/** The limit that a folder is over. */
export function sizeLimit(size: FolderSize, allowed: FolderSize): "disk" | "files" | null {
  if (size.bytes > allowed.bytes) return "disk";
  return size.files > allowed.files ? "files" : null;
}
