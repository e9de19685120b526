import { resolve } from "node:path";
import type { TlsFiles } from "../lib/port-server.ts";
import type { Config, Machine } from "./config.ts";
import type { WrittenConfig } from "./schema.ts";

/** Share of the machine's memory that jobs may reserve: the server, its page cache and other programs live in the rest. */
const MEMORY_SHARE = 0.8;
/** Measured on two cores: four attempts at once finish many small files sooner than two, as one is made durable while another computes. */
const SLOTS_PER_CORE = 3;
const MAX_INLINE_BYTES = 1024 ** 2;

/** A mistake that only two fields together make. */
export interface ConfigConflict {
  readonly field: string;
  readonly message: string;
}

/** Settings as rooms read them: absolute paths, units in the names, defaults of this machine. */
export function resolveConfig(written: WrittenConfig, machine: Machine, cwd: string): Config {
  const { local, slots, timeouts, store, limits, admin } = written;
  return {
    dataDir: resolve(cwd, written.data),
    blobsDir: written.blobs_dir === null ? null : resolve(cwd, written.blobs_dir),
    host: written.host,
    api: { port: written.port, publicUrl: written.public_url, tls: tlsFiles(written.tls, cwd) },
    s3: {
      port: written.s3_port,
      publicUrl: written.s3_public_url,
      tls: tlsFiles(written.s3_tls, cwd),
      domains: written.s3_domain,
    },
    trustedProxies: written.trusted_proxies,
    logLevel: written.log_level,
    drainMs: written.drain,
    metricsPublic: written.metrics_public,
    local: {
      cpuMilli: local.cpu ?? machine.cores * 1000,
      memoryBytes: local.memory ?? Math.floor(machine.memoryBytes * MEMORY_SHARE),
      diskBytes: local.disk,
      slots: local.slots ?? Math.min(machine.cores * SLOTS_PER_CORE, slots.count),
    },
    slots: { uidBase: slots.uid_base, count: slots.count, gid: slots.gid },
    sandbox: {
      driver: written.sandbox.driver,
      idleMs: written.sandbox.idle_timeout,
      engineSocket: written.sandbox.engine_socket === null ? null : resolve(cwd, written.sandbox.engine_socket),
      engineNetwork: written.sandbox.engine_network,
      allowHostNetwork: written.allow_host_network,
      extraPaths: written.host_image.extra_paths.map((path) => path.replace(/\/+$/, "")),
    },
    images: {
      maxBytes: written.images.max_size,
      plainHttp: written.images.plain_http,
      privateNetworks: written.images.private_networks,
      mirrors: written.images.mirrors,
      dockerConfig: written.images.docker_config === null ? null : resolve(cwd, written.images.docker_config),
      pullSecretUsers: written.images.pull_secret_users,
      pullSecrets: Object.fromEntries(written.images.pull_secrets.map(([name, path]) => [name, resolve(cwd, path)])),
      credentialHelpers: written.images.credential_helpers,
      folders: written.images.folders,
    },
    timeouts: { defaultMs: timeouts.default, maxMs: timeouts.max, syncMs: timeouts.sync },
    jobs: { keepMs: written.jobs.keep },
    changes: { keepMs: written.changes.keep },
    store: { inlineBytes: store.inline_bytes, keepFreeBytes: store.keep_free, scrubMs: store.scrub },
    logs: { maxBytes: written.logs.max_bytes },
    limits: { pids: limits.pids, files: limits.files, eventBytes: limits.event_bytes },
    admin: {
      user: admin.user,
      password: admin.password,
      accessKey: admin.access_key,
      secretKey: admin.secret_key,
    },
  };
}

/** One without the other is kept, empty, for `conflictsIn`. */
function tlsFiles({ cert, key }: WrittenConfig["tls"], cwd: string): TlsFiles | null {
  if (cert === null && key === null) return null;
  return { cert: cert === null ? "" : resolve(cwd, cert), key: key === null ? "" : resolve(cwd, key) };
}

const isHalf = (tls: TlsFiles | null): boolean => tls !== null && (tls.cert === "" || tls.key === "");

/** What no field can see alone. */
export function conflictsIn(config: Config): ConfigConflict[] {
  const { api, s3, local, slots, timeouts, sandbox, store, admin, dataDir, blobsDir } = config;
  const lies = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  const crosses = (path: string, folder: string): boolean => lies(path, folder) || lies(folder, path);
  const shown = sandbox.extraPaths.find(
    (path) => crosses(path, dataDir) || (blobsDir !== null && crosses(path, blobsDir)),
  );
  const checks: readonly (readonly [boolean, string, string])[] = [
    [api.port !== 0 && api.port === s3.port, "s3_port", `the API listens on ${api.port} too`],
    [
      local.slots > slots.count,
      "local.slots",
      `${local.slots} jobs at once need as many user ids, and slots.count is ${slots.count}`,
    ],
    [
      timeouts.defaultMs !== null && timeouts.maxMs !== null && timeouts.defaultMs > timeouts.maxMs,
      "timeouts.default",
      "it is longer than timeouts.max",
    ],
    [blobsDir !== null && crosses(blobsDir, dataDir), "blobs_dir", "it and the data directory lie one in the other"],
    [isHalf(api.tls), "tls", "a certificate and its key belong together"],
    [isHalf(s3.tls), "s3_tls", "a certificate and its key belong together"],
    [shown !== undefined, "host_image.extra_paths", `"${shown}" would show the data directory or its blobs to scripts`],
    [store.inlineBytes > MAX_INLINE_BYTES, "store.inline_bytes", "it is more than 1Mi, and such rows slow every query"],
    [admin.user?.includes(":") ?? false, "admin.user", "it holds a colon, which Basic authentication cannot carry"],
  ];
  return checks.filter(([wrong]) => wrong).map(([, field, message]) => ({ field, message }));
}
