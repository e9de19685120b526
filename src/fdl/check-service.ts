import { formatBytes, lacking, type Resources } from "../core/resources.ts";
import type { NetworkMode, Service } from "../core/service.ts";
import type { Findings } from "./findings.ts";

/** What the server that will run a service can do. */
export interface ServerAbilities {
  /** It runs programs of its own machine, as `image: host` asks. */
  readonly hostImage: boolean;
  /** It runs OCI images. */
  readonly images: boolean;
  /** Networks that its sandboxes can give. */
  readonly networks: readonly NetworkMode[];
  /** Its configuration lets services share the machine's own network. */
  readonly hostNetworkAllowed: boolean;
  /** Sandboxes that it keeps ready at most, for all services together; null where that is not known. */
  readonly readyAtMost: number | null;
  /** All that one job could ever get, on the largest worker; null when that is not known. */
  readonly capacity: Resources | null;
  /** Wall clock of services that give none; null for no limit. */
  readonly defaultTimeoutMs: number | null;
  readonly maxTimeoutMs: number | null;
}

/** For clients: the server itself judges what they cannot know. */
export const ANY_SERVER: ServerAbilities = {
  hostImage: true,
  images: true,
  networks: ["none", "outbound", "host"],
  hostNetworkAllowed: true,
  readyAtMost: null,
  capacity: null,
  defaultTimeoutMs: null,
  maxTimeoutMs: null,
};

/** Refuses what this server cannot run as it is asked for: it never runs a service in another image, with a weaker network, or with less. */
export function checkService(spec: Service, server: ServerAbilities, findings: Findings): void {
  if (spec.image !== "host" && !server.images) {
    const message = `this machine cannot run the image "${spec.image}"`;
    const cure = "sluice doctor says why; image: host runs programs of this machine";
    findings.wrong(["image"], message, cure, "IMAGE_UNSUPPORTED");
  } else if (spec.image === "host" && !server.hostImage) {
    const message = "this server runs services in containers, not with this machine's programs";
    findings.wrong(["image"], message, "name an image: docker.io/library/debian:12-slim", "IMAGE_UNSUPPORTED");
  } else checkNetwork(spec, server, findings);
  if (server.capacity !== null) checkCapacity(spec, server.capacity, findings);
  if (server.readyAtMost !== null && spec.minInstances > server.readyAtMost)
    findings.warn(
      `Service "${spec.name}": this server keeps at most ${server.readyAtMost} sandboxes ready, all services together, not the ${spec.minInstances} of min_scale`,
    );
}

/** Only an image has a program of its own to run. @param script as it was written */
export function requireScript(script: unknown, image: string, findings: Findings): void {
  if (image !== "host") return;
  if (script === undefined) findings.wrongKey([], 'the key "script" is missing');
  else if (script === "") findings.wrong(["script"], "the script is empty");
}

function checkNetwork(spec: Service, server: ServerAbilities, findings: Findings): void {
  if (spec.network === "host" && !server.hostNetworkAllowed) {
    const cure = "use network: outbound, or allow_host_network: true in the server's configuration";
    findings.wrong(["network"], "this server does not let services share its own network", cure, "NETWORK_UNSUPPORTED");
  } else if (!server.networks.includes(spec.network)) {
    const message = `this machine cannot give the network "${spec.network}" to a sandbox`;
    const cure = "sluice doctor says why; network: none always works";
    findings.wrong(["network"], message, cure, "NETWORK_UNSUPPORTED");
  }
}

/** Resource name → the key that asks for it. */
const RESOURCE_KEYS: Readonly<Record<string, string>> = { gpu: "enable_gpu" };

function checkCapacity(spec: Service, capacity: Resources, findings: Findings): void {
  for (const name of lacking(spec.resources, capacity)) {
    const most = capacity[name] ?? 0;
    const message =
      most === 0
        ? `no worker of this server has any ${name}`
        : `${showAmount(name, spec.resources[name] ?? 0)} are more than any worker of this server has`;
    const cure = most === 0 ? null : `at most ${showAmount(name, most)}`;
    findings.wrong([RESOURCE_KEYS[name] ?? name], message, cure, "RESOURCES_TOO_LARGE");
  }
}

function showAmount(name: string, amount: number): string {
  if (name === "cpu") return `${amount / 1000} cores`;
  return name === "memory" || name === "disk" ? formatBytes(amount) : String(amount);
}
