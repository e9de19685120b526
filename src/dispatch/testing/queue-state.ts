import { SluiceError } from "../../core/errors.ts";
import type { AttemptResult, Job, Lease } from "../../core/job.ts";
import type { Resources } from "../../core/resources.ts";
import type { Revision, Service } from "../../core/service.ts";
import type { CommitNotice, FinishedAttempt, JobHead, LeasedJob, ServiceQueue, State } from "../../state/state.ts";

interface Row {
  readonly head: JobHead;
  state: "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";
  attempt: number;
  /** The attempt is not ENDED. */
  open: boolean;
  notBefore: number;
  worker: string;
}

type Method = "queues" | "leaseJobs" | "finishAttempt";
type DispatchState = Pick<State, "queues" | "leaseJobs" | "finishAttempt" | "recoverAttempts" | "subscribe">;

/** The part of State that the dispatcher uses, in memory, with its rules about leases and fencing. `before` may delay a call, or fail it. */
export class QueueState implements DispatchState {
  readonly rows = new Map<string, Row>();
  readonly concurrency = new Map<string, number>();
  readonly calls: Record<Method, number> = { queues: 0, leaseJobs: 0, finishAttempt: 0 };
  readonly finished: { lease: Lease; result: AttemptResult }[] = [];
  readonly asked: { services: readonly string[] | null; perService: number }[] = [];
  readonly recovered: string[] = [];
  /** Runs before a call takes effect. */
  before: (method: Method, jobIds: readonly string[]) => Promise<void> = async () => {};
  /** Runs after a call took effect and before its promise resolves. */
  after: (method: Method) => Promise<void> = async () => {};
  readonly #listeners = new Set<(notice: CommitNotice) => void>();
  #seq = 0;

  /** Puts jobs of one service in its queue; announces them unless `quiet`. Returns their ids. */
  add(service: string, count = 1, rest: Partial<JobHead> & { notBefore?: number; quiet?: boolean } = {}): string[] {
    const { notBefore = 0, quiet = false, ...over } = rest;
    const ids = Array.from({ length: count }, () => this.#addOne(service, over, notBefore));
    if (!quiet) this.notify([service]);
    return ids;
  }

  notify(services: readonly string[]): void {
    for (const listener of this.#listeners) listener({ lastSeq: 0, services, kinds: ["job.queued"] });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  stateOf(jobId: string): string | undefined {
    return this.rows.get(jobId)?.state;
  }

  /** As `cancelJob`: the lease of an attempt that must now be stopped, or null. */
  cancel(jobId: string): Lease | null {
    const row = this.#row(jobId);
    row.state = "CANCELLED";
    return row.open ? { jobId, attempt: row.attempt, worker: row.worker } : null;
  }

  subscribe(listener: (notice: CommitNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async queues(services: readonly string[] | null, perService: number, now: number): Promise<ServiceQueue[]> {
    this.calls.queues += 1;
    this.asked.push({ services, perService });
    await this.before("queues", []);
    const names = services ?? [...new Set([...this.rows.values()].map((row) => row.head.service))];
    const queues = names.map((service) => this.#queue(service, perService, now));
    await this.after("queues");
    return queues.filter(({ queued, active }) => queued > 0 || active > 0);
  }

  async leaseJobs(requests: Parameters<State["leaseJobs"]>[0], now: number): Promise<LeasedJob[]> {
    this.calls.leaseJobs += 1;
    const ids = requests.map(({ jobId }) => jobId);
    await this.before("leaseJobs", ids);
    const leased = requests.flatMap(({ jobId, worker }) => {
      const row = this.rows.get(jobId);
      if (row?.state !== "QUEUED" || row.open || row.notBefore > now) return [];
      Object.assign(row, { state: "RUNNING", attempt: row.attempt + 1, open: true, worker });
      return [leasedJob({ jobId, attempt: row.attempt, worker }, row.head)];
    });
    await this.after("leaseJobs");
    return leased;
  }

  async finishAttempt(lease: Lease, result: AttemptResult, ..._rest: unknown[]): Promise<FinishedAttempt> {
    this.calls.finishAttempt += 1;
    await this.before("finishAttempt", [lease.jobId]);
    const row = this.#row(lease.jobId);
    if (!row.open || row.attempt !== lease.attempt) throw new SluiceError("LEASE_STALE", "Cannot finish: stale");
    row.open = false;
    if (row.state === "RUNNING") row.state = nextState(result);
    this.finished.push({ lease, result });
    this.notify([row.head.service]);
    await this.after("finishAttempt");
    return { job: jobOf(row.head), startedJobIds: [], retryAt: null };
  }

  async recoverAttempts(worker: string): Promise<number> {
    this.recovered.push(worker);
    const open = [...this.rows.values()].filter((row) => row.open && row.worker === worker);
    for (const row of open) Object.assign(row, { open: false, state: "QUEUED" });
    return open.length;
  }

  #addOne(service: string, over: Partial<JobHead>, notBefore: number): string {
    this.#seq += 1;
    const jobId = `${service}-${this.#seq}`;
    const head: JobHead = {
      jobId,
      service,
      revisionId: `rev-${service}`,
      owner: "someone",
      priority: 0,
      seq: this.#seq,
      createdAt: Date.now(),
      inputBytes: 0,
      need: { cpu: 1000 },
      ...over,
    };
    this.rows.set(jobId, { head, state: "QUEUED", attempt: 0, open: false, notBefore, worker: "" });
    return jobId;
  }

  #queue(service: string, perService: number, now: number): ServiceQueue {
    const mine = [...this.rows.values()].filter(({ head }) => head.service === service);
    const queued = mine.filter(({ state }) => state === "QUEUED");
    const waits = queued.map(({ notBefore }) => notBefore).filter((notBefore) => notBefore > now);
    const ready = queued.filter(({ notBefore }) => notBefore <= now).map(({ head }) => head);
    return {
      service,
      heads: ready.toSorted((a, b) => b.priority - a.priority || a.seq - b.seq).slice(0, perService),
      queued: queued.length,
      active: mine.filter(({ open }) => open).length,
      concurrency: this.concurrency.get(service) ?? null,
      nextAt: waits.length > 0 ? Math.min(...waits) : null,
    };
  }

  #row(jobId: string): Row {
    const row = this.rows.get(jobId);
    if (!row) throw new SluiceError("JOB_UNKNOWN", `Cannot find job "${jobId}"`);
    return row;
  }
}

function nextState({ outcome }: AttemptResult): Row["state"] {
  if (outcome === "ok") return "SUCCEEDED";
  return outcome === "stopped" || outcome === "lost" || outcome === "infrastructure" ? "QUEUED" : "FAILED";
}

/** A service with every default; tests name what they look at. */
export function serviceSpec(name: string, resources: Resources = {}, over: Partial<Service> = {}): Service {
  return {
    name,
    image: "host",
    imageDigest: null,
    imagePullSecrets: [],
    imagePrefetch: false,
    minInstances: 0,
    reuse: false,
    script: "true\n",
    resources,
    cpuLimit: false,
    timeoutMs: null,
    retries: { maxAttempts: 1, backoffMs: 0 },
    concurrency: null,
    network: "none",
    inputs: [],
    outputs: [],
    onConflict: "overwrite",
    allowLoops: false,
    skipStageIn: false,
    variables: {},
    secrets: {},
    logLevel: "INFO",
    visibility: "private",
    allowedUsers: [],
    definition: {},
    ...over,
  };
}

function jobOf(head: Pick<JobHead, "jobId" | "service" | "owner">, over: Partial<Job> = {}): Job {
  return {
    id: head.jobId,
    service: head.service,
    revisionId: "rev",
    owner: head.owner,
    state: "QUEUED",
    reason: null,
    message: "",
    priority: 0,
    runName: null,
    eventId: "event",
    rootEventId: "event",
    parentJobId: null,
    hops: 0,
    retryOf: null,
    input: null,
    inputBytes: 0,
    createdAt: 0,
    notBefore: 0,
    startedAt: null,
    endedAt: null,
    attempt: 0,
    counts: { scriptFailures: 0, infrastructureEnds: 0, uncleanStops: 0 },
    exitCode: null,
    signal: null,
    usage: null,
    replacedOutputs: 0,
    outputCount: 0,
    ...over,
  };
}

function leasedJob(lease: Lease, head: JobHead): LeasedJob {
  const { service, owner } = head;
  const revision: Revision = {
    id: head.revisionId,
    service,
    owner,
    createdAt: 0,
    spec: serviceSpec(service, head.need),
  };
  const event = {
    id: "event",
    source: "object" as const,
    time: 0,
    object: null,
    rootId: "event",
    parentJobId: null,
    hops: 0,
    payload: "{}",
  };
  return {
    lease,
    job: jobOf(head, { state: "RUNNING", attempt: lease.attempt }),
    revision,
    event,
    input: null,
    token: "0".repeat(64),
  };
}
