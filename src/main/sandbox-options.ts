import type { Config } from "../config/config.ts";
import type { Log } from "../lib/log.ts";
import type { SandboxConfig } from "../sandbox/open.ts";

export interface SandboxPlace {
  /** Of the data directory. */
  readonly id: string;
  readonly dataDir: string;
  readonly visiblePath: (path: string) => string;
  readonly log: Log;
}

/** The sandbox driver's options out of the configuration. */
export function sandboxOptions(config: Config, { id, dataDir, visiblePath, log }: SandboxPlace): SandboxConfig {
  if (config.sandbox.driver === "mock") return { driver: "mock" };
  if (config.sandbox.driver === "container") {
    return {
      driver: "container",
      name: id,
      socketPath: config.sandbox.engineSocket,
      probeFolder: dataDir,
      gid: process.geteuid?.() === 0 ? config.slots.gid : null,
      outboundNetwork: config.sandbox.engineNetwork,
      allowHostNetwork: config.sandbox.allowHostNetwork,
      log,
    };
  }
  return {
    driver: "bubblewrap",
    name: id,
    privatePaths: config.blobsDir === null ? [dataDir] : [dataDir, config.blobsDir],
    visiblePath,
    uidBase: config.slots.uidBase,
    uidCount: config.slots.count,
    gid: config.slots.gid,
    extraPaths: config.sandbox.extraPaths,
    allowHostNetwork: config.sandbox.allowHostNetwork,
    warmSlots: config.local.slots,
    idleMs: config.sandbox.idleMs,
    log,
  };
}
