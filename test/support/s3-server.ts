import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createLocalIdentity } from "../../src/identity/local-identity.ts";
import { createLog } from "../../src/lib/log.ts";
import { FileBlobs } from "../../src/objectstore/file-blobs.ts";
import { createObjectStore } from "../../src/objectstore/server.ts";
import { Sweep } from "../../src/objectstore/sweep.ts";
import { openState } from "../../src/state/open.ts";

/** The object store alone, as a process of its own so that its memory and its death can be watched. One argument: JSON of `S3ServerConfig`.
 *  Prints `{"port":n}` when it is ready, and at each SIGUSR2 `{"loopP99Ms":n}`: the event loop's delay
 *  since the one before. */
export interface S3ServerConfig {
  readonly data: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly inlineBytes?: number;
  readonly keepFreeBytes?: number;
  readonly idleTimeoutMs?: number;
  readonly maxRequests?: number;
  readonly unclean?: boolean;
}

const config = JSON.parse(process.argv[2] ?? "{}") as S3ServerConfig;
mkdirSync(config.data, { recursive: true });
const log = createLog("info");
const state = await openState({ driver: "sqlite", file: join(config.data, "state.db") });
const blobs = await FileBlobs.open({
  folder: join(config.data, "blobs"),
  slotsGid: null,
  keepFreeBytes: config.keepFreeBytes ?? 0,
  ...(config.inlineBytes === undefined ? {} : { inlineBytes: config.inlineBytes }),
});
const { accessKey, secretKey } = config;
const identity = createLocalIdentity({ admin: { user: "u", password: "p", accessKey, secretKey }, state });
const sweep = new Sweep({ state, blobs, unclean: config.unclean ?? false, log, intervalMs: 100 });
sweep.start();
const parts = blobs.openParts(state, log);
const store = createObjectStore({
  state,
  blobs,
  parts,
  identity,
  hosts: ["127.0.0.1"],
  log,
  ...(config.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: config.idleTimeoutMs }),
  ...(config.maxRequests === undefined ? {} : { maxRequests: config.maxRequests }),
});
const port = await store.listen("127.0.0.1", 0);
process.stdout.write(`${JSON.stringify({ port })}\n`);
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();
process.on("SIGUSR2", () => {
  process.stdout.write(`${JSON.stringify({ loopP99Ms: loop.percentile(99) / 1e6 })}\n`);
  loop.reset();
});
process.once("SIGTERM", async () => {
  await store.close(1000);
  await sweep.close();
  await parts.close();
  await blobs.close();
  await state.close();
  process.exit(0);
});
