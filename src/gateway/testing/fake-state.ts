import type { Change } from "../../core/change.ts";
import { SluiceError } from "../../core/errors.ts";
import { newRevisionId, newToken } from "../../core/ids.ts";
import type { Attempt, Job } from "../../core/job.ts";
import { compareKeys } from "../../core/keys.ts";
import type { Bucket, StoredObject } from "../../core/object.ts";
import type { Principal } from "../../core/principal.ts";
import type { Service, ServiceRecord } from "../../core/service.ts";
import type { DeletedObject, DeleteTarget, UploadPage, VersionPage, VersionQuery } from "../../state/object-calls.ts";
import type { AppliedService, CommitNotice, ObjectPage, ObjectQuery, ServiceCounts, State } from "../../state/state.ts";

/** The part of a state that the gateway reads and writes, in memory; the rest throws. */
export interface FakeState extends State {
  readonly tables: Tables;
  /** Puts a change in the log and tells those who wait. */
  note(change: Partial<Change>): void;
  /** Forgets changes before this one. */
  expireBefore(seq: number): void;
}

interface Tables {
  readonly services: Map<string, ServiceRecord>;
  readonly buckets: Map<string, Bucket>;
  readonly objects: Map<string, StoredObject>;
  readonly jobs: Map<string, Job>;
  readonly attempts: Map<string, Attempt[]>;
  changes: Change[];
  damagedBlobs: number;
}

export function fakeState(): FakeState {
  const tables: Tables = {
    services: new Map(),
    buckets: new Map(),
    objects: new Map(),
    jobs: new Map(),
    attempts: new Map(),
    changes: [],
    damagedBlobs: 0,
  };
  const listeners = new Set<(notice: CommitNotice) => void>();
  let lastSeq = 0;
  const used = {
    ...serviceTable(tables),
    ...storeTable(tables),
    job: async (id: string) => tables.jobs.get(id) ?? null,
    counts: async () => countJobs(tables),
    damagedCount: async () => tables.damagedBlobs,
    stats: async () => ({ commits: 3, members: 12, fsyncs: 3, largestGroup: 8 }),
    changes: async (after: number, limit: number, owner: string | null) =>
      tables.changes
        .filter((change) => change.seq > after && (owner === null || change.owner === owner))
        .slice(0, limit),
    changeBounds: async () => ({ first: tables.changes[0]?.seq ?? 0, last: tables.changes.at(-1)?.seq ?? 0 }),
    subscribe(listener: (notice: CommitNotice) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const control = {
    tables,
    note(change: Partial<Change>) {
      lastSeq += 1;
      tables.changes.push({
        seq: lastSeq,
        at: 1_700_000_000_000,
        owner: "ada",
        kind: "job.queued",
        key: `job-${lastSeq}`,
        sequencer: 0,
        data: {},
        ...change,
      });
      for (const listener of listeners) listener({ lastSeq, services: [], kinds: [change.kind ?? "job.queued"] });
    },
    expireBefore(seq: number) {
      tables.changes = tables.changes.filter((change) => change.seq >= seq);
    },
  };
  return new Proxy({ ...used, ...control } as unknown as FakeState, {
    get(target, name, receiver) {
      if (name in target || typeof name === "symbol" || name === "then") return Reflect.get(target, name, receiver);
      throw new Error(`the fake state has no "${String(name)}"`);
    },
  });
}

function serviceTable({ services }: Tables) {
  return {
    service: async (name: string) => services.get(name) ?? null,
    services: async (owner: string | null) =>
      [...services.values()].filter((record) => owner === null || record.owner === owner),
    applyServices: async (by: Principal, specs: readonly Service[], mode: string): Promise<AppliedService[]> =>
      specs.map((spec) => {
        const before = services.get(spec.name);
        if (before !== undefined && mode === "create") {
          throw new SluiceError("SERVICE_EXISTS", `Cannot create "${spec.name}": it exists`);
        }
        services.set(spec.name, serviceRecord(spec, before?.owner ?? by.subject, before?.token));
        return { name: spec.name, result: before === undefined ? "created" : "updated" };
      }),
    removeService: async (_by: Principal, name: string) => void services.delete(name),
  };
}

export function serviceRecord(spec: Service, owner: string, token = newToken()): ServiceRecord {
  const at = 1_700_000_000_000;
  const revision = { id: newRevisionId(), service: spec.name, owner, createdAt: at, spec };
  return { name: spec.name, owner, token, createdAt: at, updatedAt: at, revision };
}

function storeTable({ buckets, objects }: Tables) {
  return {
    bucket: async (name: string) => buckets.get(name) ?? null,
    buckets: async (owner: string | null) =>
      [...buckets.values()].filter((bucket) => owner === null || bucket.owner === owner),
    async createBucket(by: Principal, name: string) {
      if (buckets.has(name)) throw new SluiceError("BUCKET_EXISTS", `Cannot make "${name}": it exists`);
      const bucket = { name, owner: by.subject, createdAt: 1_700_000_000_000, versioning: "off" } as const;
      buckets.set(name, bucket);
      return bucket;
    },
    async deleteBucket(_by: Principal, name: string) {
      const full = [...objects.keys()].some((path) => path.startsWith(`${name}/`));
      if (full) throw new SluiceError("BUCKET_NOT_EMPTY", `Cannot delete "${name}": it holds objects`);
      buckets.delete(name);
    },
    object: async (bucket: string, key: string) => objects.get(`${bucket}/${key}`) ?? null,
    listObjects: async (query: ObjectQuery) => objectPage(objects, query),
    listUploads: async (): Promise<UploadPage> => ({ uploads: [], commonPrefixes: [], next: null }),
    /** Versioning is off everywhere here. */
    async listVersions(query: VersionQuery): Promise<VersionPage> {
      const { objects: versions, commonPrefixes, next } = objectPage(objects, { ...query, after: query.afterKey });
      return { versions, commonPrefixes, next: next === null ? null : { key: next, versionId: null } };
    },
    async deleteObjects(_by: Principal, bucket: string, targets: readonly DeleteTarget[]): Promise<DeletedObject[]> {
      return targets.map(({ key }) => {
        const existed = objects.delete(`${bucket}/${key}`);
        return { key, versionId: null, existed, deleteMarker: null, refused: false };
      });
    },
  };
}

function objectPage(objects: Tables["objects"], query: ObjectQuery): ObjectPage {
  const found = [...objects.values()]
    .filter(({ bucket, key }) => bucket === query.bucket && key.startsWith(query.prefix))
    .filter(({ key }) => query.after === "" || compareKeys(key, query.after) > 0)
    .toSorted((a, b) => compareKeys(a.key, b.key));
  const page = found.slice(0, query.limit);
  return { objects: page, commonPrefixes: [], next: found.length > page.length ? (page.at(-1)?.key ?? null) : null };
}

function countJobs({ services, jobs }: Tables): ServiceCounts[] {
  return [...services.values()].map(({ name, owner }) => {
    const counts = { QUEUED: 0, RUNNING: 0, DELIVERING: 0, SUCCEEDED: 0, FAILED: 0, CANCELLED: 0 };
    for (const job of jobs.values()) if (job.service === name) counts[job.state] += 1;
    return { service: name, owner, counts };
  });
}
