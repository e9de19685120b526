import { z } from "zod";
import { instant, pageSize, resources } from "./common.ts";

export const jobStates = ["QUEUED", "RUNNING", "DELIVERING", "SUCCEEDED", "FAILED", "CANCELLED"] as const;
const jobState = z.enum(jobStates);

const usage = z.object({
  wall_ms: z.number(),
  cpu_ms: z.number().nullable(),
  memory_peak_bytes: z.number().nullable(),
  input_bytes: z.number(),
  output_bytes: z.number(),
  output_files: z.number(),
});

export const job = z.object({
  id: z.string(),
  service: z.string(),
  state: jobState,
  status: z.enum(["Pending", "Running", "Succeeded", "Failed"]).describe("The state in OSCAR's words"),
  reason: z.string().nullable().describe("Why it failed or was tried again: exit, signal, timeout, memory, …"),
  message: z.string(),
  owner: z.string(),
  revision: z.string(),
  run: z.string().nullable(),
  priority: z.int(),
  input: z.object({ bucket: z.string(), key: z.string(), version: z.number() }).nullable(),
  input_bytes: z.number(),
  event_id: z.string(),
  root_event_id: z.string().describe("The event at the head of the chain of jobs"),
  parent_job: z.string().nullable(),
  retry_of: z.string().nullable(),
  hops: z.int(),
  attempt: z.int().describe("Number of the latest attempt; 0 before the first"),
  script_failures: z.int(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  created_at: instant,
  not_before: instant,
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  usage: usage.nullable(),
  output_count: z.int(),
  replaced_outputs: z.int().describe("Objects of other jobs that this job's outputs replaced"),
});

const attempt = z.object({
  number: z.int(),
  state: z.enum(["LEASED", "RUNNING", "STOPPING", "ENDED"]),
  worker: z.string(),
  outcome: z.string().nullable(),
  message: z.string(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  leased_at: instant,
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  usage: usage.nullable(),
  resources: resources.describe("What the attempt reserved"),
});

const output = z.object({
  bucket: z.string(),
  key: z.string(),
  version: z.number(),
  size_bytes: z.number(),
  etag: z.string(),
  content_type: z.string(),
});

export const jobDetail = job.extend({
  waits_for: z.string().nullable().describe("Why a queued job waits"),
  attempts: z.array(attempt),
  outputs: z.array(output).describe("By key; the first ones of very many"),
});

export const jobPage = z.object({
  jobs: z.array(job),
  next: z.string().nullable().describe("`after` of the next page"),
});

/** `state=QUEUED,RUNNING` */
const stateList = z
  .string()
  .transform((text) => text.split(",").map((state) => state.trim().toUpperCase()))
  .pipe(z.array(jobState));

export const jobQuery = z.strictObject({
  service: z.string().optional(),
  state: stateList.optional().describe("One or more states, with commas"),
  since: z.iso
    .datetime({ offset: true })
    .transform((text) => Date.parse(text))
    .optional()
    .describe("Only jobs made at or after this time (RFC 3339)"),
  run: z.string().optional(),
  limit: pageSize(1000, 100),
  after: z.string().optional().describe("`next` of the page before"),
});

export const jobParams = z.object({ id: z.string().min(1) });

export type Job = z.output<typeof job>;
export type JobDetail = z.output<typeof jobDetail>;
export type JobPage = z.output<typeof jobPage>;
