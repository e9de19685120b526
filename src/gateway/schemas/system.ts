import { z } from "zod";
import { instant, resources } from "./common.ts";
import { jobStates } from "./jobs.ts";

export const config = z.object({
  config: z.looseObject({ name: z.string(), gpu_available: z.boolean(), oidc_groups: z.array(z.string()) }),
  minio_provider: z
    .object({
      endpoint: z.string(),
      verify: z.boolean(),
      access_key: z.string(),
      secret_key: z.string(),
      region: z.string(),
    })
    .describe("The S3 address of this server, and the caller's keys"),
  allowed_image_repositories: z.array(z.string()),
});

export const info = z.object({
  version: z.string(),
  git_commit: z.string(),
  architecture: z.string(),
  kubernetes_version: z.string(),
  serverless_backend: z.object({ name: z.string(), version: z.string() }),
});

const nodeResource = z.record(z.string(), z.int());

const node = z.object({
  name: z.string(),
  cpu: nodeResource.describe("capacity_cores, usage_cores: milli-cores"),
  memory: nodeResource.describe("capacity_bytes, usage_bytes"),
  gpu: z.int(),
  is_interlink: z.boolean(),
  status: z.string(),
  conditions: z.array(z.object({ type: z.string(), status: z.boolean() })),
});

const guard = z.object({
  name: z.string(),
  state: z.enum(["enforced", "weaker", "missing"]),
  why: z.string(),
  mend: z.string(),
});

const sandbox = z.object({
  driver: z.string(),
  works: z.boolean(),
  networks: z.array(z.string()),
  guards: z.array(guard),
});

/** What Sluice says beyond OSCAR's status. */
const sluiceStatus = z.object({
  version: z.string(),
  draining: z.boolean(),
  uptime_seconds: z.number(),
  workers: z.array(
    z.object({
      name: z.string(),
      backend: z.string(),
      capacity: resources,
      reserved: resources,
      slots: z.int().nullable(),
      attempts: z.int(),
    }),
  ),
  queues: z.array(
    z.object({
      service: z.string(),
      owner: z.string(),
      counts: z.record(z.enum(jobStates), z.int()),
      waits_for: z.string().nullable().describe("What the next job of the queue waits for"),
    }),
  ),
  store: z.object({ damaged_blobs: z.int().describe("Found by checks of the store, and not mended") }),
  sandbox,
});

export const status = z.object({
  cluster: z.object({
    nodes_count: z.int(),
    metrics: z.object({
      cpu: nodeResource.describe("Milli-cores"),
      memory: nodeResource.describe("Bytes"),
      gpu: z.object({ total_gpu: z.int() }),
    }),
    nodes: z.array(node),
  }),
  oscar: z.object({
    deployment_name: z.string(),
    ready: z.boolean(),
    deployment: z.object({
      available_replicas: z.int(),
      ready_replicas: z.int(),
      replicas: z.int(),
      creation_timestamp: instant,
      strategy: z.string(),
      labels: z.record(z.string(), z.string()),
    }),
    jobs_count: z.int(),
    pods: z.object({ total: z.int(), states: z.record(z.string(), z.int()) }),
    oidc: z.object({ enabled: z.boolean(), issuers: z.array(z.string()), groups: z.array(z.string()) }),
  }),
  minio: z.object({ buckets_count: z.int(), total_objects: z.int() }),
  sluice: sluiceStatus,
});

export const readiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

export const backupBody = z.strictObject({ target: z.string().min(1).describe("A folder on the server's machine") });
export const backupAnswer = z.object({ target: z.string() });

export type Config = z.output<typeof config>;
export type Info = z.output<typeof info>;
export type Status = z.output<typeof status>;
export type Readiness = z.output<typeof readiness>;
export type BackupAnswer = z.output<typeof backupAnswer>;
