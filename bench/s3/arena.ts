import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, type ContenderName, startContender } from "./servers.ts";
import { ask } from "./signed.ts";

/** A file system to measure on. */
export type Place = "disk" | "tmpfs";

const PARENTS: Readonly<Record<Place, string>> = { disk: process.cwd(), tmpfs: "/dev/shm" };

export const BUCKET = "bench";
const MAX_TRIES = 50;

/** Starts the servers that are there on one file system, each with an empty bucket; afterwards stops them and removes everything. */
export async function inArena<T>(
  place: Place,
  names: readonly ContenderName[],
  task: (servers: readonly Contender[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(PARENTS[place], ".bench-s3-"));
  await chmod(folder, 0o711);
  const servers: Contender[] = [];
  try {
    for (const name of names) {
      const server = await startContender(name, folder);
      if (server === null) continue;
      servers.push(server);
      await makeBucket(server);
    }
    return await task(servers);
  } finally {
    for (const server of servers) await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A peer may listen before it can answer. */
async function makeBucket(server: Contender): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await ask(server, { method: "PUT", bucket: BUCKET });
      return;
    } catch (error) {
      if (tries === MAX_TRIES) throw error;
      await sleep(200);
    }
  }
}
