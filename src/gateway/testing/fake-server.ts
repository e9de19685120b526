import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { SluiceError } from "../../core/errors.ts";
import { isTerminal, type Job } from "../../core/job.ts";
import type { StagedBlob } from "../../core/object.ts";
import { isAdmin, type Principal } from "../../core/principal.ts";
import type { DispatchView } from "../../dispatch/dispatch.ts";
import { ANY_SERVER } from "../../fdl/check-service.ts";
import { type FakeImages, fakeImages } from "../../images/testing/fake-images.ts";
import type { Jobs, Submission } from "../../jobs/jobs.ts";
import { createLog } from "../../lib/log.ts";
import { Proxies } from "../../lib/proxies.ts";
import type { LogChunk } from "../../logs/logs.ts";
import type { StoreFinding } from "../../objectstore/scrub/findings.ts";
import type { Lineage } from "../../state/state.ts";
import type { GatewayDeps, ServerFacts } from "../deps.ts";
import { createApp } from "../gateway.ts";
import type { Route } from "../route.ts";
import { expectDocumented } from "./expect-documented.ts";
import { type FakeState, fakeState } from "./fake-state.ts";
import { jobOf, NOW } from "./samples.ts";

const user = (subject: string, scopes: readonly string[] = []): Principal => ({
  issuer: "local",
  subject,
  groups: [],
  scopes,
  via: "basic",
});

const ADMIN = user("cluster_admin", ["admin"]);
const ADA = user("ada");
const BOB = user("bob");

/** Credentials that the fake identity knows, as headers. */
export const AS = {
  admin: { authorization: basic("admin", "correct horse") },
  ada: { authorization: basic("ada", "ada's") },
  bob: { authorization: basic("bob", "bob's:with:colons") },
  /** The long-lived token of the service `thumbs`. */
  serviceToken: { authorization: `Bearer ${"5".repeat(64)}` },
  /** The token of a running attempt of `thumbs`. */
  attemptToken: { authorization: `Bearer ${"7".repeat(64)}` },
  nobody: {},
} as const;

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
}

export const ATTEMPT_LINEAGE: Lineage = { rootId: "root-event", parentJobId: "thumbs-parent", hops: 2 };

export interface FakeServer {
  readonly app: FastifyInstance;
  readonly routes: readonly Route[];
  readonly deps: GatewayDeps;
  readonly state: FakeState;
  readonly submitted: Submission[];
  readonly staged: Map<string, Buffer>;
  readonly discarded: string[];
  readonly backups: string[];
  /** What a check of the store says. */
  readonly findings: StoreFinding[];
  readonly images: FakeImages;
  readonly logged: string[];
  readonly logs: Map<string, LogChunk[]>;
  /** Changes what the server says of itself. */
  readonly mood: { draining: boolean; reasons: string[]; revoked: boolean };
  /** Fails when the answer is not as the route's document says. */
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

/** A gateway over fakes: users admin, ada and bob; what they do is kept to be looked at. */
export function fakeServer(over: { deps?: Partial<GatewayDeps>; facts?: Partial<ServerFacts> } = {}): FakeServer {
  const state = fakeState();
  const submitted: Submission[] = [];
  const staged = new Map<string, Buffer>();
  const discarded: string[] = [];
  const backups: string[] = [];
  const findings: StoreFinding[] = [];
  const logged: string[] = [];
  const logs = new Map<string, LogChunk[]>();
  const mood = { draining: false, reasons: [] as string[], revoked: false };
  const images = fakeImages();
  const deps: GatewayDeps = {
    state,
    jobs: fakeJobs(state, submitted),
    dispatcher: { view: () => ({ ...VIEW, draining: mood.draining }) },
    blobs: {
      stage: async (source) => stage(staged, source),
      discard: async (ids) => void discarded.push(...ids),
    },
    logs: { read: (jobId, attempt) => replay(logs.get(`${jobId}/${attempt}`) ?? []) },
    identity: fakeIdentity(() => mood.revoked),
    abilities: async () => ({ ...ANY_SERVER, images: false }),
    images,
    sandboxReport: async () => ({ driver: "mock", works: true, guards: [], networks: ["none"] }),
    objectCount: async () => state.tables.objects.size,
    s3KeysOf: async (by) => (isAdmin(by) ? { accessKey: "AK", secretKey: "SK" } : null),
    backup: async (target) => void backups.push(target),
    storeCheck: () => replay(findings),
    readiness: async () => mood.reasons,
    tls: null,
    proxies: new Proxies([]),
    facts: {
      version: "1.2.3",
      gitCommit: "abc",
      s3Url: "http://127.0.0.1:9000",
      region: "us-east-1",
      publicUrls: ["https://sluice.example.org"],
      metricsPublic: false,
      maxEventBytes: 64 << 20,
      maxConnections: Number.POSITIVE_INFINITY,
      ...over.facts,
    },
    clock: { now: () => NOW, monotonicMs: () => performance.now() },
    log: createLog("info", (line) => void logged.push(line)),
    ...over.deps,
  };
  const { app, routes, shut } = createApp(deps);
  return {
    app,
    routes,
    deps,
    state,
    submitted,
    staged,
    discarded,
    backups,
    findings,
    images,
    logged,
    logs,
    mood,
    async inject(options) {
      const response = await app.inject(options);
      expectDocumented(routes, options, response);
      return response;
    },
    async close() {
      shut();
      await app.close();
    },
  };
}

const VIEW: DispatchView = {
  workers: [
    {
      name: "local",
      backend: "local",
      capacity: { cpu: 2000, memory: 4096, gpu: 1 },
      reserved: { cpu: 500, memory: 1024 },
      attempts: 1,
      slots: 4,
    },
  ],
  waiting: [],
  draining: false,
};

function fakeIdentity(revoked: () => boolean): GatewayDeps["identity"] {
  const users: readonly { readonly header: string; readonly principal: Principal }[] = [
    { header: AS.admin.authorization, principal: ADMIN },
    { header: AS.ada.authorization, principal: ADA },
    { header: AS.bob.authorization, principal: BOB },
  ];
  const token = { groups: [], scopes: [], via: "bearer", subject: "thumbs" };
  return {
    basic: async (name, password) =>
      revoked() ? null : (users.find(({ header }) => header === basic(name, password))?.principal ?? null),
    async bearer(value) {
      if (value === "5".repeat(64)) {
        return { principal: { ...token, issuer: "service" }, service: "thumbs", lineage: null };
      }
      if (value !== "7".repeat(64)) return null;
      return { principal: { ...token, issuer: "job" }, service: "thumbs", lineage: ATTEMPT_LINEAGE };
    },
    accessKey: async () => null,
  };
}

async function stage(staged: Map<string, Buffer>, source: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const blobId = `blob-${staged.size + 1}`;
  staged.set(blobId, bytes);
  return { blobId, sizeBytes: bytes.length, md5: "", blockCrc32c: new Uint8Array(4), inline: null };
}

async function* replay<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

function fakeJobs({ tables }: FakeState, submitted: Submission[]): Jobs {
  const found = (id: string): Job => {
    const job = tables.jobs.get(id);
    if (job === undefined) throw new SluiceError("JOB_UNKNOWN", `Cannot find the job "${id}"`);
    return job;
  };
  const inState = (id: string, terminal: boolean): Job => {
    const job = found(id);
    if (isTerminal(job.state) === terminal) return job;
    throw new SluiceError("JOB_STATE", `Cannot do that with "${id}": it is ${job.state}`);
  };
  return {
    async submit(by, submission) {
      submitted.push(submission);
      const job = jobOf(`${submission.service}-${submitted.length}`, {
        service: submission.service,
        owner: by.subject,
      });
      tables.jobs.set(job.id, job);
      return job;
    },
    get: async (_by, id) => ({
      job: found(id),
      attempts: tables.attempts.get(id) ?? [],
      outputs: [],
      waitsFor: "the workers are busy",
    }),
    async list(by, query) {
      const all = [...tables.jobs.values()]
        .filter((job) => isAdmin(by) || job.owner === by.subject)
        .filter((job) => query.service === undefined || job.service === query.service)
        .filter((job) => query.states === undefined || query.states.includes(job.state));
      const start = query.after === undefined ? 0 : all.findIndex((job) => job.id === query.after) + 1;
      const jobs = all.slice(start, start + query.limit);
      return { jobs, next: start + jobs.length < all.length ? (jobs.at(-1)?.id ?? null) : null };
    },
    async event() {
      throw new Error("not asked for");
    },
    async cancel(_by, id) {
      const job = { ...inState(id, false), state: "CANCELLED" as const };
      tables.jobs.set(id, job);
      return job;
    },
    async retry(_by, id) {
      return jobOf(`${id}-again`, { ...inState(id, true), id: `${id}-again`, state: "QUEUED", retryOf: id });
    },
    async remove(_by, id) {
      inState(id, true);
      tables.jobs.delete(id);
    },
  };
}
