import { hostname } from "node:os";
import { openBackend } from "./backend/open.ts";
import type { Config } from "./config/config.ts";
import type { Principal } from "./core/principal.ts";
import { isAdmin, SYSTEM_PRINCIPAL } from "./core/principal.ts";
import { createDispatcher } from "./dispatch/dispatcher.ts";
import { createGateway } from "./gateway/gateway.ts";
import { pinnedDigests } from "./gateway/pin-images.ts";
import { loadAdmin } from "./identity/admin-file.ts";
import { createLocalIdentity } from "./identity/local-identity.ts";
import { createJobs } from "./jobs/create-jobs.ts";
import { startFanOut } from "./jobs/fan-out-loop.ts";
import { startRetention } from "./jobs/retention.ts";
import { systemClock } from "./lib/clock.ts";
import type { Log } from "./lib/log.ts";
import { openFilesLimit } from "./lib/open-files.ts";
import { renewTlsKeys, type TlsKeys } from "./lib/port-server.ts";
import { Proxies } from "./lib/proxies.ts";
import { createFileLogs } from "./logs/file-logs.ts";
import { serverAbilities } from "./main/abilities.ts";
import { hostOf, reachableUrl } from "./main/addresses.ts";
import { announcePulls } from "./main/announce-pulls.ts";
import { Closers } from "./main/closers.ts";
import { exposeDataDir, requireReachable } from "./main/expose-data-dir.ts";
import { keepInstances } from "./main/keep-instances.ts";
import { keepReserve } from "./main/keep-reserve.ts";
import { listening } from "./main/listening.ts";
import { localCapacity } from "./main/local-capacity.ts";
import { type OpenFilesShare, plentyOpenFiles, requireOpenFiles } from "./main/open-files.ts";
import { openImages } from "./main/open-images.ts";
import { type PortKeys, type RenewablePorts, readPortKeys, renewPortKeys } from "./main/port-keys.ts";
import { sandboxOptions } from "./main/sandbox-options.ts";
import { removeServerFile, writeServerFile } from "./main/server-file.ts";
import { FileBlobs } from "./objectstore/file-blobs.ts";
import { Lifecycle } from "./objectstore/lifecycle/lifecycle.ts";
import { createObjectStore } from "./objectstore/server.ts";
import { Sweep } from "./objectstore/sweep.ts";
import { openSandbox } from "./sandbox/open.ts";
import { openPolicy } from "./scheduler/open.ts";
import { backup } from "./state/backup.ts";
import { type DataDir, openDataDir } from "./state/data-dir.ts";
import { openState } from "./state/open.ts";
import { createSupervisor } from "./supervisor/supervisor.ts";
import { prepareWorkFolder } from "./supervisor/work-folder.ts";

/** A running server. */
export interface Server {
  /** Addresses to reach it on this machine. */
  readonly api: string;
  readonly s3: string;
  readonly dataDir: string;
  /** Takes no new work, lets running attempts end for the configured time, then stops them, and closes everything. */
  close(): Promise<void>;
  /** Reads certificates and keys again; new connections get them. @throws SluiceError CONFIG_INVALID, and then the old ones stay */
  renewTls(config: Config): Promise<void>;
}

export interface ServerOptions {
  readonly log: Log;
  /** Of the program. */
  readonly version: string;
}

const clock = systemClock;
/** The one worker of this process. */
const LOCAL = "local";

/** Opens every driver, joins the rooms, and starts them from the inside out; `close` goes back from the outside in.
 *  As root it may start this process again first (see `exposeDataDir`), so nothing must be open that a new start would not find. */
export async function startServer(config: Config, options: ServerOptions): Promise<Server> {
  const closers = new Closers(options.log);
  try {
    const edge = {
      files: shareFiles(config, options.log),
      keys: await readPortKeys(config),
      proxies: new Proxies(config.trustedProxies),
    };
    const dir = await openDirectory(config, closers);
    const core = await openCore(config, dir, options.log, closers);
    const { renewable, ...addresses } = await listen(config, dir, core, edge, options, closers);
    const { path } = dir.dataDir;
    writeServerFile(path, { ...addresses, pid: process.pid, version: options.version });
    closers.add("server file", () => removeServerFile(path));
    // First of all, while both ports still answer: who asks is told that the server is stopping, and running jobs can be watched to their end.
    closers.add("running attempts", () => core.dispatcher.drain(config.drainMs));
    return {
      ...addresses,
      dataDir: path,
      close: () => closers.close(),
      renewTls: (now) => renewPortKeys(edge.keys, now, renewable, options.log),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Connections are bounded so that they never take the files that the database and running jobs need. */
function shareFiles(config: Config, log: Log): OpenFilesShare {
  const limit = openFilesLimit();
  const share = requireOpenFiles(limit, config.local.slots);
  const plenty = plentyOpenFiles(config.local.slots);
  if (limit < plenty) {
    log.warn(`few open files are allowed: raise the limit with "ulimit -n ${plenty}" or LimitNOFILE=`, {
      limit,
      ...share,
    });
  }
  return share;
}

interface Directory {
  readonly dataDir: DataDir;
  /** The same place, by a path that sandboxes' users can walk. */
  readonly visible: string;
  /** The group of these users; null when the server is an ordinary user. */
  readonly slotsGid: number | null;
}

async function openDirectory(config: Config, closers: Closers): Promise<Directory> {
  const slotsGid = process.getuid?.() === 0 ? config.slots.gid : null;
  const visible = exposeDataDir(config.dataDir);
  const dataDir = await openDataDir(config.dataDir, { slotsGid, blobsDir: config.blobsDir });
  closers.add("data directory", () => dataDir.close(true));
  if (slotsGid !== null && config.blobsDir !== null) requireReachable(dataDir.blobs);
  return { dataDir, visible, slotsGid };
}

/** Everything behind the two ports. */
async function openCore(config: Config, { dataDir, visible, slotsGid }: Directory, log: Log, closers: Closers) {
  const visiblePath = (path: string): string =>
    path.startsWith(`${dataDir.path}/`) ? `${visible}${path.slice(dataDir.path.length)}` : path;
  // The database's thread starts while this one looks after the sandboxes.
  const opening = openState({ driver: "sqlite", file: dataDir.database, reserveFile: dataDir.reserve.path });
  closers.addOpening("state", opening, (state) => state.close());
  const sandbox = await openSandbox(
    sandboxOptions(config, { id: dataDir.id, dataDir: dataDir.path, visiblePath, log }),
  );
  closers.add("sandbox", () => sandbox.close());
  // First whatever a killed server left running, then its folders, then its open attempts.
  for (const sentence of await sandbox.reclaim()) log.info(sentence);
  await prepareWorkFolder(dataDir.work, slotsGid);

  const state = await opening;
  const admin = loadAdmin(dataDir.path, config.admin);
  const identity = createLocalIdentity({ admin, state });
  const logs = createFileLogs(dataDir.logs, { state, clock, log, maxBytes: config.logs.maxBytes });
  closers.add("logs", () => logs.close());
  const blobs = await FileBlobs.open({
    folder: dataDir.blobs,
    slotsGid,
    inlineBytes: config.store.inlineBytes,
    keepFreeBytes: config.store.keepFreeBytes,
    onDiskFull: () => dataDir.reserve.release(),
    clock,
  });
  closers.add("blobs", () => blobs.close());
  const parts = blobs.openParts(state, log);
  closers.add("parts", () => parts.close());
  const sweep = new Sweep({ state, blobs, unclean: dataDir.unclean, log });
  sweep.start();
  closers.add("sweep", () => sweep.close());
  if (config.store.scrubMs > 0) {
    const scrub = blobs.openScrub({ state, periodMs: config.store.scrubMs, clock, log });
    scrub.start();
    closers.add("scrub", () => scrub.close());
  }
  const lifecycle = new Lifecycle({ state, parts, by: SYSTEM_PRINCIPAL, clock, log });
  lifecycle.start();
  closers.add("lifecycle", () => lifecycle.close());
  closers.add("reserve", keepReserve(dataDir.reserve, log));

  const capacity = await localCapacity(dataDir.path, config.local);
  const ownPorts: number[] = [];
  const ownImages = await openImages(config, {
    folder: dataDir.images,
    slotsGid,
    pinned: () => pinnedDigests(state),
    ownPorts: () => ownPorts,
    clock,
    log,
  });
  closers.add("images", () => ownImages.close());
  const images = announcePulls(ownImages, { state, clock, log });
  const supervisor = createSupervisor({
    sandbox,
    images,
    workFolder: dataDir.work,
    slotsGid,
    node: hostname(),
    extraPaths: config.sandbox.extraPaths,
    log,
    ...config.limits,
  });
  closers.add("supervisor", () => supervisor.close());
  const backend = await openBackend({
    driver: "local",
    name: LOCAL,
    worker: { capacity, slots: config.local.slots },
    state,
    blobs,
    logs,
    supervise: supervisor.run,
    clock,
    log,
  });
  closers.add("backend", () => backend.close());
  const dispatcher = createDispatcher({ state, policy: openPolicy("fifo"), backends: [backend], clock, log });
  closers.add("dispatcher", () => dispatcher.drain(0));
  const jobs = createJobs({ state, dispatcher, logs, clock, log });
  const fanOut = startFanOut({ state, log });
  closers.add("fan-out", () => fanOut.stop());
  const retention = startRetention({
    state,
    logs,
    keepJobsMs: config.jobs.keepMs,
    keepChangesMs: config.changes.keepMs,
    clock,
    log,
  });
  closers.add("retention", () => retention.stop());
  const instances = keepInstances({ state, sandbox, images, log });
  closers.add("instances", () => instances.close());
  await dispatcher.start();
  return { sandbox, state, admin, identity, logs, blobs, parts, sweep, dispatcher, jobs, capacity, images, ownPorts };
}

/** What both ports have from the machine and the configuration. */
interface Edge {
  readonly files: OpenFilesShare;
  readonly keys: PortKeys;
  readonly proxies: Proxies;
}

type Core = Awaited<ReturnType<typeof openCore>>;

async function listen(
  config: Config,
  { dataDir }: Directory,
  core: Core,
  { files, keys, proxies }: Edge,
  { log, version }: ServerOptions,
  closers: Closers,
): Promise<{ api: string; s3: string; renewable: RenewablePorts }> {
  const { state, identity, blobs, parts, sandbox, sweep, dispatcher } = core;
  const publicUrls = [config.api.publicUrl, config.s3.publicUrl].filter((url) => url !== null);
  const store = createObjectStore({
    state,
    blobs,
    parts,
    identity,
    hosts: [config.host, ...publicUrls.map(hostOf)],
    domains: config.s3.domains,
    tls: keys.s3,
    proxies,
    maxRequests: files.s3Requests,
    log,
    clock,
  });
  if (Number.isFinite(files.s3Connections)) store.server.maxConnections = files.s3Connections;
  const s3Address = { host: config.host, port: config.s3.port, flag: "--s3-port" };
  const s3Port = await listening(s3Address, store.listen(config.host, config.s3.port));
  const s3 = reachableUrl(config.host, s3Port, keys.s3 !== null);
  closers.add("object store", () => store.close());
  const storeCheck = blobs.openCheck(state);
  const gateway = createGateway({
    ...core,
    abilities: () => serverAbilities(config, sandbox, core.capacity),
    sandboxReport: () => sandbox.probe(),
    objectCount: () => state.objectCount(),
    s3KeysOf: async (by: Principal) =>
      isAdmin(by) ? { accessKey: core.admin.accessKey, secretKey: core.admin.secretKey } : null,
    backup: async (target) => {
      await sweep.hold();
      try {
        await backup({ state, dataDir: dataDir.path, target });
      } finally {
        sweep.release();
      }
    },
    storeCheck: (options, signal) => storeCheck.run(options, signal),
    readiness: async () => (dispatcher.view().draining ? ["the server is stopping"] : []),
    facts: {
      version,
      gitCommit: "",
      s3Url: config.s3.publicUrl ?? s3,
      region: "us-east-1",
      publicUrls: config.api.publicUrl === null ? [] : [config.api.publicUrl],
      metricsPublic: config.metricsPublic,
      maxEventBytes: config.limits.eventBytes,
      maxConnections: files.apiConnections,
    },
    tls: keys.api,
    proxies,
    clock,
    log,
  });
  const apiAddress = { host: config.host, port: config.api.port, flag: "--port" };
  const { url } = await listening(apiAddress, gateway.listen(config.host, config.api.port));
  closers.add("gateway", () => gateway.close());
  const renewable = { api: gateway.renewTls, s3: (now: TlsKeys) => renewTlsKeys(store.server, now) };
  core.ownPorts.push(...[url, s3].map((address) => Number(new URL(address).port)));
  return { api: url, s3, renewable };
}
