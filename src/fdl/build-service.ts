import { formatBytes, parseBytes, parseCpuMilli } from "../core/resources.ts";
import type { ConflictPolicy, NetworkMode, Service, StorageEntry } from "../core/service.ts";
import { formatDuration, MAX_TIMER_MS } from "../lib/duration.ts";
import type { JsonObject, Path } from "../lib/tree.ts";
import type { ServerAbilities } from "./check-service.ts";
import {
  booleanIn,
  durationIn,
  integerIn,
  sectionIn,
  sectionsIn,
  textIn,
  textMapIn,
  textsIn,
} from "./definition-values.ts";
import { checkEnvironment } from "./environment.ts";
import type { Findings } from "./findings.ts";
import { withoutSecrets } from "./secret-values.ts";
import { storageEntry } from "./storage-entry.ts";

/** Least that a shell can start in. Less is a forgotten unit: SCAR's files give mebibytes as plain numbers. */
const MIN_MEMORY_BYTES = 4 * 1024 ** 2;
const MIN_DISK_BYTES = 1024 ** 2;
const DEFAULT_DISK_BYTES = 10 * 1024 ** 3;
const MAX_ATTEMPTS = 100;
const MAX_INSTANCES = 1000;

/** Turns a checked definition and its script into a Service. What is wrong goes to `findings`; the result is of use only when
 *  there is nothing. */
export function buildService(
  definition: JsonObject,
  script: string,
  server: ServerAbilities,
  findings: Findings,
): Service {
  const name = checkedName(textIn(definition, "name"), findings);
  const image = checkedImage(textIn(definition, "image") ?? "host", findings);
  const environment = sectionIn(definition, "environment");
  const variables = textMapIn(environment, "variables");
  const secrets = textMapIn(environment, "secrets");
  checkEnvironment(variables, secrets, findings);
  return {
    name,
    image,
    imageDigest: null,
    imagePullSecrets: textsIn(definition, "image_pull_secrets"),
    imagePrefetch: booleanIn(definition, "image_prefetch"),
    minInstances: minInstancesOf(sectionIn(definition, "synchronous"), findings),
    reuse: reuseOf(definition, image, findings),
    script,
    resources: resourcesOf(definition, server, findings),
    cpuLimit: booleanIn(definition, "cpu_limit"),
    timeoutMs: timeoutOf(definition, server, findings),
    retries: retriesOf(sectionIn(definition, "retries"), findings),
    concurrency: within(integerIn(definition, "concurrency"), 1, 1_000_000, ["concurrency"], findings),
    network: networkOf(textIn(definition, "network"), image),
    inputs: entriesOf(definition, "input", name, findings),
    outputs: entriesOf(definition, "output", name, findings),
    onConflict: conflictPolicyOf(textIn(definition, "on_conflict")),
    allowLoops: booleanIn(definition, "allow_loops"),
    skipStageIn: booleanIn(definition, "file_stage_in"),
    variables,
    secrets,
    logLevel: textIn(definition, "log_level") ?? "INFO",
    visibility: visibilityOf(textIn(definition, "visibility")),
    allowedUsers: textsIn(definition, "allowed_users"),
    definition: withoutSecrets({ ...definition, name }, "service"),
  };
}

/** As a Kubernetes label, and at most 39 characters as in OSCAR, so that `<name>-<uuid>` is one too. */
function checkedName(name: string | null, findings: Findings): string {
  if (name === null) return "";
  if (name.length <= 39 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return name;
  const cure = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 39);
  findings.wrong(
    ["name"],
    `${JSON.stringify(name.slice(0, 60))} cannot name a service: use 1 to 39 of a-z, 0-9 and "-", starting and ending with a letter or digit`,
    cure === "" ? null : `for example ${cure.replace(/-+$/, "")}`,
  );
  return name;
}

function checkedImage(image: string, findings: Findings): string {
  if (image.length > 512 || /[\s\p{Cc}]/u.test(image) || image.startsWith("-")) {
    findings.wrong(
      ["image"],
      `${JSON.stringify(image.slice(0, 60))} is no image`,
      "write host, or a name like docker.io/library/alpine:3",
    );
  }
  return image;
}

function resourcesOf(definition: JsonObject, server: ServerAbilities, findings: Findings): Record<string, number> {
  const cpu = parseCpuMilli(textIn(definition, "cpu") ?? "0.2") ?? 0;
  if (cpu < 1) findings.wrong(["cpu"], "a job needs some CPU", "write for example 0.2");
  const memory = parseBytes(textIn(definition, "memory") ?? "256Mi") ?? 0;
  if (memory < MIN_MEMORY_BYTES) tooSmall("memory", memory, MIN_MEMORY_BYTES, findings);
  const written = textIn(definition, "disk");
  const disk = written === null ? defaultDisk(server) : (parseBytes(written) ?? 0);
  if (written !== null && disk < MIN_DISK_BYTES) tooSmall("disk", disk, MIN_DISK_BYTES, findings);
  return { cpu, memory, disk, ...(booleanIn(definition, "enable_gpu") ? { gpu: 1 } : {}) };
}

/** A default must not make a service too large for a small machine. */
function defaultDisk(server: ServerAbilities): number {
  return Math.min(DEFAULT_DISK_BYTES, server.capacity?.disk ?? DEFAULT_DISK_BYTES);
}

function tooSmall(key: string, bytes: number, least: number, findings: Findings): void {
  const cure = bytes >= 4 ? `did you mean ${bytes}Mi?` : `write at least ${formatBytes(least)}`;
  findings.wrong([key], `${bytes} bytes are too little for any script`, cure);
}

function timeoutOf(definition: JsonObject, server: ServerAbilities, findings: Findings): number | null {
  const timeoutMs = within(durationIn(definition, "timeout"), 1, MAX_TIMER_MS, ["timeout"], findings, formatDuration);
  if (timeoutMs === null) return server.defaultTimeoutMs ?? server.maxTimeoutMs;
  if (server.maxTimeoutMs !== null && timeoutMs > server.maxTimeoutMs) {
    const most = formatDuration(server.maxTimeoutMs);
    findings.wrong(
      ["timeout"],
      `${formatDuration(timeoutMs)} is longer than this server allows`,
      `write at most ${most}`,
    );
  }
  return timeoutMs;
}

function reuseOf(definition: JsonObject, image: string, findings: Findings): boolean {
  const reuse = booleanIn(definition, "reuse");
  if (reuse && image === "host") {
    findings.wrong(
      ["reuse"],
      "nothing of this machine's programs can be changed, so there is nothing to find again",
      "name an image",
    );
  }
  return reuse;
}

/** More than `max_scale` makes no sense; there 0 is no limit. */
function minInstancesOf(synchronous: JsonObject, findings: Findings): number {
  const path = ["synchronous", "min_scale"];
  const least = within(integerIn(synchronous, "min_scale"), 0, MAX_INSTANCES, path, findings) ?? 0;
  const most = integerIn(synchronous, "max_scale") ?? 0;
  if (most > 0 && least > most)
    findings.wrong(path, `${least} instances are more than max_scale allows`, `at most ${most}`);
  return least;
}

function retriesOf(retries: JsonObject, findings: Findings): Service["retries"] {
  const attempts = within(integerIn(retries, "max_attempts"), 1, MAX_ATTEMPTS, ["retries", "max_attempts"], findings);
  const backoff = within(
    durationIn(retries, "backoff"),
    0,
    MAX_TIMER_MS,
    ["retries", "backoff"],
    findings,
    formatDuration,
  );
  return { maxAttempts: attempts ?? 1, backoffMs: backoff ?? 10_000 };
}

function within(
  value: number | null,
  least: number,
  most: number,
  path: Path,
  findings: Findings,
  show: (value: number) => string = String,
): number | null {
  if (value !== null && (value < least || value > most)) {
    findings.wrong(path, `${show(value)} is not between ${show(least)} and ${show(most)}`);
  }
  return value;
}

function networkOf(written: string | null, image: string): NetworkMode {
  if (written === "none" || written === "outbound" || written === "host") return written;
  return image === "host" ? "none" : "outbound";
}

function conflictPolicyOf(written: string | null): ConflictPolicy {
  return written === "rename" || written === "fail" ? written : "overwrite";
}

function visibilityOf(written: string | null): Service["visibility"] {
  return written === "restricted" || written === "public" ? written : "private";
}

function entriesOf(
  definition: JsonObject,
  side: "input" | "output",
  service: string,
  findings: Findings,
): StorageEntry[] {
  return sectionsIn(definition, side).flatMap((entry, index) => {
    const built = storageEntry(entry, side, service, [side, index], findings);
    return built === null ? [] : [built];
  });
}
