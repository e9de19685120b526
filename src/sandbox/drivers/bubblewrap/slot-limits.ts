import type { WatchedLimit } from "../../limit-watch.ts";
import type { SandboxLimits } from "../../sandbox.ts";
import { addSizes, measureFolder, sizeLimit } from "../../work-folder.ts";
import { privateBytes } from "./proc-table.ts";
import type { Slot } from "./slot.ts";

/** The limit of a running sandbox that is exceeded: bytes and files of the work folder and of the changes to the root (allocated, deleted files that are
 *  still open not included), memory where there is no control group, and processes killed for memory where the group does not end as one. */
export async function exceededLimit(slot: Slot, folder: string, limits: SandboxLimits): Promise<WatchedLimit | null> {
  if (memoryExceeded(slot, limits)) return "memory";
  const allowed = { bytes: limits.diskBytes, files: limits.files };
  return sizeLimit(addSizes(await measureFolder(folder, allowed), await slot.root.size(allowed)), allowed);
}

function memoryExceeded(slot: Slot, limits: SandboxLimits): boolean {
  const { cgroup } = slot;
  if (cgroup === null) return privateBytes(slot.scriptProcesses()) > limits.memoryBytes;
  return !cgroup.oomEndsAll && cgroup.counts().oomKills > 0;
}
