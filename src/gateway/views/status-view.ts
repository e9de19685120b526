import type { JobState } from "../../core/job.ts";
import { isAdmin, type Principal } from "../../core/principal.ts";
import type { DispatchView } from "../../dispatch/dispatch.ts";
import { waitSentence } from "../../jobs/wait-sentence.ts";
import type { SandboxReport } from "../../sandbox/sandbox.ts";
import type { ServiceCounts } from "../../state/state.ts";
import { rfc3339 } from "../answers.ts";
import type { Status } from "../schemas/system.ts";
import { oscarStatus } from "./job-view.ts";

/** What a status page is made of, read at one moment. */
export interface StatusFacts {
  readonly by: Principal;
  readonly version: string;
  readonly view: DispatchView;
  readonly counts: readonly ServiceCounts[];
  readonly sandbox: SandboxReport;
  readonly bucketCount: number;
  readonly objectCount: number;
  readonly damagedBlobs: number;
  /** UTC ms. */
  readonly now: number;
  readonly uptimeSeconds: number;
}

type Worker = DispatchView["workers"][number];

/** OSCAR's status of this server's workers, and ours under `sluice`. Users see the queues of their own services only. */
export function statusView(facts: StatusFacts): Status {
  const { view, by } = facts;
  const shown = isAdmin(by) ? facts.counts : facts.counts.filter(({ owner }) => owner === by.subject);
  return {
    cluster: clusterView(view.workers),
    oscar: oscarView(facts, shown),
    minio: { buckets_count: facts.bucketCount, total_objects: facts.objectCount },
    sluice: {
      version: facts.version,
      draining: view.draining,
      uptime_seconds: facts.uptimeSeconds,
      workers: view.workers.map((worker) => ({
        ...worker,
        capacity: { ...worker.capacity },
        reserved: { ...worker.reserved },
      })),
      queues: shown.map((row) => queueView(row, view)),
      store: { damaged_blobs: facts.damagedBlobs },
      sandbox: {
        driver: facts.sandbox.driver,
        works: facts.sandbox.works,
        networks: [...facts.sandbox.networks],
        guards: facts.sandbox.guards.map((guard) => ({ ...guard })),
      },
    },
  };
}

/** OSCAR calls the fields "cores" and fills them with milli-cores; its clients read whole numbers. */
function clusterView(workers: readonly Worker[]): Status["cluster"] {
  const free = (name: string) => workers.map((worker) => amount(worker, name) - reserved(worker, name));
  const total = (name: string) => workers.map((worker) => amount(worker, name));
  return {
    nodes_count: workers.length,
    metrics: {
      cpu: {
        total_free_cores: sum(free("cpu")),
        max_free_on_node_cores: most(free("cpu")),
        total_schedulable_cores: sum(total("cpu")),
        total_schedulable_on_node_cores: most(total("cpu")),
      },
      memory: {
        total_free_bytes: sum(free("memory")),
        max_free_on_node_bytes: most(free("memory")),
        total_schedulable_bytes: sum(total("memory")),
        total_schedulable_on_node_bytes: most(total("memory")),
      },
      gpu: { total_gpu: sum(total("gpu")) },
    },
    nodes: workers.map(nodeView),
  };
}

function nodeView(worker: Worker): Status["cluster"]["nodes"][number] {
  return {
    name: worker.name,
    cpu: { capacity_cores: amount(worker, "cpu"), usage_cores: reserved(worker, "cpu") },
    memory: { capacity_bytes: amount(worker, "memory"), usage_bytes: reserved(worker, "memory") },
    gpu: amount(worker, "gpu"),
    is_interlink: false,
    status: "Ready",
    conditions: [{ type: "Ready", status: true }],
  };
}

/** Sluice is one process, which OSCAR would call a deployment with one replica; a job with a running attempt is its pod. */
function oscarView(facts: StatusFacts, counts: readonly ServiceCounts[]): Status["oscar"] {
  const ready = !facts.view.draining;
  const states: Record<string, number> = {};
  for (const row of counts) {
    for (const [state, count] of Object.entries(row.counts)) {
      const status = oscarStatus(state as JobState);
      states[status] = (states[status] ?? 0) + count;
    }
  }
  const total = sum(Object.values(states));
  return {
    deployment_name: "sluice",
    ready,
    deployment: {
      available_replicas: 1,
      ready_replicas: ready ? 1 : 0,
      replicas: 1,
      creation_timestamp: rfc3339(facts.now - facts.uptimeSeconds * 1000),
      strategy: "",
      labels: {},
    },
    jobs_count: total,
    pods: { total, states },
    oidc: { enabled: false, issuers: [], groups: [] },
  };
}

function queueView(row: ServiceCounts, view: DispatchView): Status["sluice"]["queues"][number] {
  const waiting = view.waiting.find(({ service }) => service === row.service);
  return {
    service: row.service,
    owner: row.owner,
    counts: { ...row.counts },
    waits_for: waiting === undefined ? null : waitSentence(waiting),
  };
}

const amount = ({ capacity }: Worker, name: string): number => Math.floor(capacity[name] ?? 0);
const reserved = (worker: Worker, name: string): number => Math.ceil(worker.reserved[name] ?? 0);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const most = (values: readonly number[]): number => Math.max(0, ...values);
