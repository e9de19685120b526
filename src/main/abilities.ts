import type { Config } from "../config/config.ts";
import type { Resources } from "../core/resources.ts";
import type { ServerAbilities } from "../fdl/check-service.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** What this server can run, for those who define services: its networks are those that a sandbox really gave. */
export async function serverAbilities(config: Config, sandbox: Sandbox, capacity: Resources): Promise<ServerAbilities> {
  const report = await sandbox.probe();
  return {
    hostImage: config.sandbox.driver !== "container",
    images: report.guards.some(({ name, state }) => name === "image-root" && state === "enforced"),
    networks: report.networks,
    hostNetworkAllowed: config.sandbox.allowHostNetwork,
    readyAtMost: config.sandbox.driver === "bubblewrap" ? config.local.slots : 0,
    capacity,
    defaultTimeoutMs: config.timeouts.defaultMs,
    maxTimeoutMs: config.timeouts.maxMs,
  };
}
