import { reclaimGroups } from "../../src/sandbox/drivers/bubblewrap/cgroup-reclaim.ts";
import { removeLeftFolders } from "../../src/sandbox/drivers/bubblewrap/machine.ts";

/** After all tests: what servers left that a test killed for good, as the next start of any server would remove it. */
export async function teardown(): Promise<void> {
  await reclaimGroups(["/sys/fs/cgroup"], "nobody", new Set());
  await removeLeftFolders(process.geteuid?.() === 0);
}
