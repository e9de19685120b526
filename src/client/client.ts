import { causeCode } from "./answer-error.ts";
import { readEventStream } from "./event-stream.ts";
import { Http, type HttpCall, type HttpOptions } from "./http.ts";
import type {
  ApplyAnswer,
  BackupAnswer,
  Bucket,
  BucketPage,
  Change,
  Config,
  FreedAnswer,
  Gap,
  Info,
  Job,
  JobDetail,
  JobPage,
  JobState,
  PullEvent,
  Readiness,
  Service,
  ServiceLogs,
  Status,
  StoredImage,
  StoreFinding,
} from "./shapes.ts";

export type ClientOptions = HttpOptions;

/** A service in OSCAR's keys and our own; what they mean is checked by the server. */
export type Definition = Readonly<Record<string, unknown>>;

export interface JobQuery {
  readonly service?: string;
  readonly states?: readonly JobState[];
  /** RFC 3339; jobs made at or after it. */
  readonly since?: string;
  readonly run?: string;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface LogQuery {
  /** Goes on, through retries, until the job has ended. */
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  /** Default: the latest, and with `follow` those after it too. */
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

export interface ChangeQuery {
  /** Changes after this number; default: those to come. */
  readonly after?: number;
  readonly kinds?: readonly Change["kind"][];
  readonly owner?: string;
  readonly signal?: AbortSignal;
}

export interface StoreCheckQuery {
  readonly repair?: boolean;
  /** Bytes a second. */
  readonly rate?: number;
  readonly signal?: AbortSignal;
}

/** The jobs that a call made. A storage event with many records names the first hundred; a test event makes none. */
export interface Submitted {
  readonly ids: readonly string[];
  readonly count: number;
}

/** The API of a server, for browsers and Node alike. Every method throws SluiceErrors: with the server's code where it answered, UNREACHABLE
 *  where it did not. */
export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const http = new Http(options);
  return { ...serviceCalls(http), ...jobCalls(http), ...logCalls(http), ...bucketCalls(http), ...systemCalls(http) };
}

const SERVICES = ["system", "services"];
const JOBS = ["system", "jobs"];
const LOGS = ["system", "logs"];
const BUCKETS = ["system", "buckets"];

function serviceCalls(http: Http) {
  return {
    listServices: () => http.json<Service[]>({ path: SERVICES }),
    getService: (name: string) => http.json<Service>({ path: [...SERVICES, name] }),
    /** @returns warnings: keys that the server keeps but cannot honour */
    createService: async (definition: Definition): Promise<string[]> =>
      warningsOf(await http.call({ method: "POST", path: SERVICES, json: definition })),
    /** @returns warnings, as `createService` */
    updateService: async (definition: Definition): Promise<string[]> =>
      warningsOf(await http.call({ method: "PUT", path: SERVICES, json: definition })),
    /** All or none. */
    applyServices: (definitions: readonly Definition[], { dryRun = false }: { dryRun?: boolean } = {}) =>
      http.json<ApplyAnswer>({
        method: "POST",
        path: [...SERVICES, "apply"],
        query: { dry_run: dryRun },
        json: definitions,
      }),
    removeService: (name: string, { data = false }: { data?: boolean } = {}) =>
      done(http, { method: "DELETE", path: [...SERVICES, name], query: { data } }),
  };
}

function jobCalls(http: Http) {
  return {
    /** Calls a service with a body; streams may be of any length that the server takes. */
    async submitJob(
      service: string,
      body: NonNullable<HttpCall["body"]>,
      { run, contentType }: { run?: string; contentType?: string } = {},
    ): Promise<Submitted> {
      const headers = contentType === undefined ? {} : { "content-type": contentType };
      const response = await http.call({
        method: "POST",
        path: ["job", service],
        query: { run },
        body,
        headers,
        takes: "lasting",
      });
      return submitted(response.headers);
    },
    listJobs: ({ states, ...query }: JobQuery = {}) =>
      http.json<JobPage>({ path: JOBS, query: { ...query, state: states } }),
    getJob: (id: string) => http.json<JobDetail>({ path: [...JOBS, id] }),
    cancelJob: (id: string) => http.json<Job>({ method: "POST", path: [...JOBS, id, "cancel"] }),
    retryJob: (id: string) => http.json<Job>({ method: "POST", path: [...JOBS, id, "retry"] }),
    /** Finished ones only. */
    removeJob: (id: string) => done(http, { method: "DELETE", path: [...JOBS, id] }),
    /** The bytes of a job's log as they come. An abort of `signal` ends them. */
    jobLog: (id: string, query: LogQuery = {}) => jobLog(http, id, query),
    /** Committed changes, one connection long: it ends or fails when that does; go on with `after: change.seq`. An abort ends it. */
    changes: (query: ChangeQuery = {}) => changes(http, query),
  };
}

/** Absent headers are those of an OSCAR cluster, which makes a job and does not tell which. */
function submitted(headers: Headers): Submitted {
  const ids = (headers.get("job-id") ?? "").split(",").filter((id) => id !== "");
  return { ids, count: Number(headers.get("job-count") ?? "1") };
}

/** Node's fetch gives up on a body that is silent for 5 minutes, which a followed log may be: it is then read again, without what was given. */
async function* jobLog(http: Http, id: string, query: LogQuery): AsyncGenerator<Uint8Array> {
  const { signal, follow, ...rest } = query;
  const call: HttpCall = {
    path: [...JOBS, id, "logs"],
    query: { ...rest, follow },
    ...(signal === undefined ? {} : { signal }),
  };
  for (let given = 0; ; ) {
    try {
      let skip = given;
      for await (const chunk of http.bytes(call)) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        given += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
      return;
    } catch (error) {
      if (follow !== true || causeCode((error as Error).cause) !== "UND_ERR_BODY_TIMEOUT") throw error;
    }
  }
}

async function* changes(http: Http, { signal, ...query }: ChangeQuery): AsyncGenerator<Change | Gap> {
  const bytes = http.bytes({
    path: ["system", "events"],
    query,
    headers: { accept: "text/event-stream" },
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const { event, data } of readEventStream(bytes)) {
    const value = JSON.parse(data);
    yield event === "gap" ? { kind: "gap", key: "", ...value } : value;
  }
}

/** OSCAR's calls for jobs and logs. */
function logCalls(http: Http) {
  return {
    listServiceLogs: (service: string, { page }: { page?: string } = {}) =>
      http.json<ServiceLogs>({ path: [...LOGS, service], query: { page } }),
    serviceLog: (service: string, job: string, { timestamps = false }: { timestamps?: boolean } = {}) =>
      http.bytes({ path: [...LOGS, service, job], query: { timestamps } }),
    /** Those that succeeded, or with `all` every one. */
    removeServiceLogs: (service: string, { all = false }: { all?: boolean } = {}) =>
      done(http, { method: "DELETE", path: [...LOGS, service], query: { all }, takes: "lasting" }),
    removeServiceLog: (service: string, job: string) => done(http, { method: "DELETE", path: [...LOGS, service, job] }),
  };
}

function bucketCalls(http: Http) {
  return {
    listBuckets: () => http.json<Bucket[]>({ path: BUCKETS }),
    getBucket: (name: string, query: { page?: string; prefix?: string; limit?: number } = {}) =>
      http.json<BucketPage>({ path: [...BUCKETS, name], query }),
    createBucket: (name: string) => done(http, { method: "POST", path: BUCKETS, json: { bucket_name: name } }),
    /** An empty one, or with `data` one with objects. */
    removeBucket: (name: string, { data = false }: { data?: boolean } = {}) =>
      done(http, { method: "DELETE", path: [...BUCKETS, name], query: { data }, takes: "lasting" }),
  };
}

function systemCalls(http: Http) {
  return {
    getConfig: () => http.json<Config>({ path: ["system", "config"] }),
    getInfo: () => http.json<Info>({ path: ["system", "info"] }),
    getStatus: () => http.json<Status>({ path: ["system", "status"] }),
    health: () => done(http, { path: ["healthz"] }),
    /** Says why not instead of throwing. */
    ready: () => http.json<Readiness>({ path: ["readyz"], accept: [503] }),
    metrics: async (): Promise<string> => (await http.call({ path: ["metrics"] })).text(),
    openApi: () => http.json<Record<string, unknown>>({ path: ["openapi.json"] }),
    /** Copies database and blobs to a folder of the server's machine. */
    backup: (target: string) =>
      http.json<BackupAnswer>({ method: "POST", path: ["system", "backup"], json: { target }, takes: "lasting" }),
    /** What a check of the store finds, as it goes; `end` is last. An abort ends both. */
    checkStore: ({ signal, ...query }: StoreCheckQuery = {}): AsyncGenerator<StoreFinding> =>
      events(http, { method: "POST", path: ["system", "store", "check"], query }, signal),
    listImages: () => http.json<StoredImage[]>({ method: "GET", path: ["system", "images"] }),
    /** How a pull goes on; `end` or `error` is last. An abort gives it up. */
    pullImage: (image: string, pullSecrets: readonly string[] = [], signal?: AbortSignal): AsyncGenerator<PullEvent> =>
      events(http, { method: "POST", path: ["system", "images"], json: { image, pull_secrets: pullSecrets } }, signal),
    removeImage: (digest: string) =>
      http.json<FreedAnswer>({ method: "DELETE", path: ["system", "images", digest], takes: "lasting" }),
    pruneImages: () =>
      http.json<FreedAnswer>({ method: "POST", path: ["system", "images", "prune"], takes: "lasting" }),
  };
}

/** Server-sent events as they come. */
async function* events<Event>(http: Http, call: HttpCall, signal: AbortSignal | undefined): AsyncGenerator<Event> {
  const headers = { accept: "text/event-stream" };
  const bytes = http.bytes({ ...call, headers, ...(signal === undefined ? {} : { signal }) });
  for await (const { data } of readEventStream(bytes)) yield JSON.parse(data);
}

async function done(http: Http, call: HttpCall): Promise<void> {
  const response = await http.call(call);
  await response.body?.cancel();
}

/** The warnings of an answer whose body is OSCAR's. */
function warningsOf(response: Response): string[] {
  const header = response.headers.get("sluice-warning");
  return header === null ? [] : header.split(",").map((warning) => decodeURIComponent(warning.trim()));
}

export type { Credentials } from "./http.ts";
export type {
  ApplyAnswer,
  Bucket,
  BucketPage,
  Change,
  Config,
  Gap,
  Info,
  Job,
  JobDetail,
  JobPage,
  JobState,
  Problem,
  Readiness,
  Service,
  ServiceLogs,
  Status,
  StoredImage,
  StoreFinding,
} from "./shapes.ts";
