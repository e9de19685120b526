import type { Json } from "../lib/tree.ts";
import type { KeyRow, ValueType } from "./key-row.ts";

/** A key of OSCAR that is checked and given back, and that this server has nothing to do for. */
function kept(key: string, type: ValueType, means: string, byDefault?: Json): KeyRow {
  const row = { key, type, dialect: "oscar", effect: "kept", to: "definition", means } as const;
  return byDefault === undefined ? row : { ...row, default: byDefault };
}

/** A key of OSCAR that is checked and given back, and whose effect this server does not have: apply says so. */
function warns(key: string, type: ValueType, byDefault: Json | undefined, means: string, lacks: string): KeyRow {
  const row = { key, type, dialect: "oscar", effect: "warns", to: "definition", means, lacks } as const;
  return byDefault === undefined ? row : { ...row, default: byDefault };
}

const readOnly = (key: string, means: string): KeyRow => ({
  key,
  type: { is: "any" },
  dialect: "oscar",
  effect: "read-only",
  to: "set by the server",
  means,
});

const TEXT = { is: "text" } as const;
const BOOLEAN = { is: "boolean" } as const;
const INTEGER = { is: "integer" } as const;
const CPU = { is: "cpu" } as const;
const BYTES = { is: "bytes" } as const;

const ONE_CLUSTER = "this server hands no jobs to other clusters";

/** OSCAR's keys of a service that belong to Kubernetes and its add-ons. */
export const ENGINE_KEYS: readonly KeyRow[] = [
  warns("alpine", BOOLEAN, false, "use a musl build of the supervisor", "nothing of ours runs inside the image"),
  warns("total_memory", BYTES, "", "memory of all jobs of the service together", "use concurrency"),
  warns("total_cpu", CPU, "", "cores of all jobs of the service together", "use concurrency"),
  warns("ephemeral_storage_request", BYTES, "", "disk to reserve", "use disk"),
  warns("enable_sgx", BOOLEAN, false, "an SGX enclave for each job", "it has no SGX enclaves"),
  warns("vo", TEXT, "", "virtual organisation of the users", "it knows no virtual organisations"),
  warns(
    "allowed_users",
    { is: "texts" },
    [],
    "who may call a restricted service",
    "its administrator is its only user",
  ),
  warns(
    "visibility",
    { is: "choice", of: ["private", "restricted", "public"] },
    "private",
    "who may see and call the service",
    "its administrator is its only user",
  ),
  warns(
    "isolation_level",
    { is: "choice", of: ["SERVICE", "USER"] },
    "SERVICE",
    "`USER`: a bucket for each allowed user",
    "its administrator is its only user",
  ),
  warns(
    "mount",
    { is: "section", section: "mount" },
    {},
    "a bucket as a folder in the container",
    "it mounts no buckets",
  ),
  warns("volume", { is: "section", section: "volume" }, undefined, "a volume that outlives jobs", "it has no volumes"),
  warns("expose", { is: "section", section: "expose" }, {}, "a long-running web service", "it exposes no services"),
  warns("kserve", { is: "section", section: "kserve" }, undefined, "a KServe inference service", "it has no KServe"),
  warns(
    "federation",
    { is: "section", section: "federation" },
    undefined,
    "clusters that share the service",
    ONE_CLUSTER,
  ),
  warns("replicas", { is: "sections", section: "replica" }, [], "older spelling of `federation.members`", ONE_CLUSTER),
  warns(
    "delegation",
    { is: "choice", of: ["static", "random", "load-based", "topsis"] },
    "",
    "older place of `federation.delegation`",
    ONE_CLUSTER,
  ),
  warns("rescheduler_threshold", INTEGER, 0, "older place of `federation.rescheduler_threshold`", ONE_CLUSTER),
  warns("interlink_node_name", TEXT, "", "run jobs on an interLink virtual node", "it has no interLink nodes"),
  warns(
    "clusters",
    { is: "section map", section: "cluster" },
    undefined,
    "clusters of the federation, by id",
    ONE_CLUSTER,
  ),
  warns(
    "storage_providers",
    { is: "section", section: "storage_providers" },
    undefined,
    "storage services outside, by kind and id",
    "it speaks to no storage outside",
  ),
  readOnly("token", "the service's token"),
  readOnly("owner", "who made the service"),
  readOnly("namespace", "where OSCAR runs it"),
  readOnly("bucket_list", "buckets that isolation made"),
  readOnly("volume_status", "state of the volume"),
  readOnly("deployment", "state of the deployment"),
  readOnly("revision", "the version of the definition that new jobs run"),
  readOnly("created_at", "when the service was made"),
  readOnly("updated_at", "when it was last changed"),
];

export const MOUNT_KEYS: readonly KeyRow[] = [
  kept("storage_provider", TEXT, "kind and id of the provider", ""),
  kept("path", TEXT, "bucket and folder", ""),
  kept("options", { is: "any" }, "extra flags of the mount", {}),
];

export const VOLUME_KEYS: readonly KeyRow[] = [
  kept("name", TEXT, "name; that of the service without it", ""),
  kept("size", BYTES, "size of a new volume; an existing one is meant without it", ""),
  kept("mount_path", TEXT, "where it is mounted", ""),
  kept("lifecycle_policy", { is: "choice", of: ["delete", "retain"] }, "what happens to it with the service", ""),
];

export const EXPOSE_KEYS: readonly KeyRow[] = [
  kept("min_scale", INTEGER, "fewest instances", 1),
  kept("max_scale", INTEGER, "most instances", 10),
  kept("api_port", { is: "integers" }, "ports it listens on", []),
  kept("cpu_threshold", INTEGER, "CPU percentage at which it scales", 80),
  kept("rewrite_target", BOOLEAN, "strip the path before it", false),
  kept("nodePort", { is: "integers" }, "node ports, one for each `api_port`", []),
  kept("default_command", BOOLEAN, "run the image's own command", false),
  kept("set_auth", BOOLEAN, "ask for credentials", false),
  kept("auth_type", { is: "choice", of: ["basic", "forward"] }, "how it asks", ""),
  kept("health_path", TEXT, "path of the health check", "/"),
  kept("probe_mode", { is: "choice", of: ["legacy", "direct"] }, "how it is probed", "legacy"),
];

export const KSERVE_KEYS: readonly KeyRow[] = [
  kept("type", { is: "choice", of: ["inference", "llm_inference"] }, "kind of inference service", ""),
  kept("storage_uri", TEXT, "where the model lies", ""),
  kept("inference", { is: "section", section: "kserve inference" }, "model and runtime", {}),
  kept("llm_inference", { is: "section", section: "kserve llm_inference" }, "runtime of a language model", {}),
  kept("model_format", TEXT, "older place of `inference.model_format`", ""),
  kept("runtime", TEXT, "older place of `inference.runtime`", ""),
  kept("api_version", { is: "choice", of: ["v1", "v2"] }, "protocol", ""),
  kept("min_scale", INTEGER, "fewest instances", 0),
  kept("max_scale", INTEGER, "most instances", 1),
  kept("cpu", CPU, "cores", "0.2"),
  kept("memory", BYTES, "memory", "256Mi"),
  kept("args", { is: "texts" }, "arguments", []),
  kept("env", { is: "text map" }, "environment", {}),
  kept("enable_gpu", BOOLEAN, "one GPU", false),
  kept("set_auth", BOOLEAN, "ask for the service's token", true),
];

export const KSERVE_INFERENCE_KEYS: readonly KeyRow[] = [
  kept("model_format", TEXT, "format of the model", ""),
  kept("runtime", TEXT, "serving runtime", ""),
];

export const KSERVE_LLM_KEYS: readonly KeyRow[] = [kept("runtime_image", TEXT, "image of the runtime", "")];

export const FEDERATION_KEYS: readonly KeyRow[] = [
  kept("group_id", TEXT, "name of the group; that of the service without it", ""),
  kept("topology", { is: "choice", of: ["none", "star", "mesh"] }, "who hands jobs to whom", ""),
  kept("delegation", { is: "choice", of: ["static", "random", "load-based", "topsis"] }, "how a member is chosen", ""),
  kept("rescheduler_threshold", INTEGER, "seconds a job waits before it is handed on", 0),
  kept("members", { is: "sections", section: "replica" }, "the other services", []),
];

export const REPLICA_KEYS: readonly KeyRow[] = [
  kept("type", { is: "choice", of: ["oscar", "endpoint"] }, "a service of a cluster, or an address", ""),
  kept("cluster_id", TEXT, "cluster of an `oscar` member", ""),
  kept("service_name", TEXT, "service of an `oscar` member", ""),
  kept("url", TEXT, "address of an `endpoint` member", ""),
  kept("ssl_verify", BOOLEAN, "check the certificate", true),
  kept("priority", INTEGER, "0 is the first choice", 0),
  kept("headers", { is: "secret map" }, "headers of an `endpoint` member", {}),
];

export const CLUSTER_KEYS: readonly KeyRow[] = [
  kept("endpoint", TEXT, "address", ""),
  kept("auth_user", TEXT, "user", ""),
  kept("auth_password", { is: "secret" }, "password"),
  kept("oidc_account_name", TEXT, "account of oidc-agent", ""),
  kept("oidc_refresh_token", { is: "secret" }, "OIDC refresh token"),
  kept("ssl_verify", BOOLEAN, "check the certificate", true),
  kept("memory", BYTES, "default memory of a client's services", ""),
  kept("log_level", TEXT, "default log level of a client's services", ""),
];
