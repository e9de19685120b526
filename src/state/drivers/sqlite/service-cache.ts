import { triggers } from "../../../core/filters.ts";
import type { Resources } from "../../../core/resources.ts";
import type { Revision, Service, StorageEntry } from "../../../core/service.ts";
import type { Database } from "./database.ts";

/** What making a job needs to know of a service; the script and the rest of the definition stay in the database. */
export interface CachedService {
  readonly name: string;
  readonly owner: string;
  readonly revisionId: string;
  readonly inputs: readonly StorageEntry[];
  readonly concurrency: number | null;
}

interface RevisionRow {
  readonly id: string;
  readonly service: string;
  readonly owner: string;
  readonly created_at: number;
  readonly spec: string;
}

const CURRENT = `SELECT s.name, s.owner, s.revision, r.spec FROM services s JOIN revisions r ON r.id = s.revision`;
const REVISION = "SELECT id, service, owner, created_at, spec FROM revisions WHERE id = ?";
/** Parsed revisions kept; each holds a script. */
const KEPT_REVISIONS = 32;
/** What revisions reserve is small, and asked for at every look at the queues. */
const KEPT_NEEDS = 4096;

/** Parsed services of the worker. `forget` after every transaction that changed a service, and after a rollback of one. */
export class ServiceCache {
  readonly #db: Database;
  #byName: Map<string, CachedService> | null = null;
  readonly #byBucket = new Map<string, readonly CachedService[]>();
  readonly #revisions = new Map<string, Revision>();
  readonly #needs = new Map<string, Resources>();

  constructor(db: Database) {
    this.#db = db;
  }

  get(name: string): CachedService | undefined {
    return this.#all().get(name);
  }

  /** The services that an object starts, by name. */
  triggeredBy(bucket: string, key: string): readonly CachedService[] {
    return this.#ofBucket(bucket).filter((service) => triggers(service, bucket, key));
  }

  /** A revision by id, which every job row of the database names rightly. */
  revision(id: string): Revision {
    const kept = this.#revisions.get(id);
    if (kept !== undefined) return kept;
    const row = this.#db.get<RevisionRow>(REVISION, id);
    if (row === undefined) throw new Error(`revision ${id} is missing`);
    const revision = toRevision(row);
    keep(this.#revisions, id, revision, KEPT_REVISIONS);
    return revision;
  }

  /** What one attempt of the revision reserves. */
  need(revisionId: string): Resources {
    const known = this.#needs.get(revisionId) ?? this.revision(revisionId).spec.resources;
    keep(this.#needs, revisionId, known, KEPT_NEEDS);
    return known;
  }

  forget(): void {
    this.#byName = null;
    this.#byBucket.clear();
    this.#revisions.clear();
    this.#needs.clear();
  }

  #all(): Map<string, CachedService> {
    if (this.#byName !== null) return this.#byName;
    const byName = new Map<string, CachedService>();
    const rows = this.#db.iterate<{ name: string; owner: string; revision: string; spec: string }>(
      `${CURRENT} ORDER BY s.name`,
    );
    for (const row of rows) {
      const { inputs, concurrency } = JSON.parse(row.spec) as Service;
      byName.set(row.name, { name: row.name, owner: row.owner, revisionId: row.revision, inputs, concurrency });
    }
    this.#byName = byName;
    return byName;
  }

  #ofBucket(bucket: string): readonly CachedService[] {
    let services = this.#byBucket.get(bucket);
    if (services === undefined) {
      services = [...this.#all().values()].filter((service) => service.inputs.some((entry) => entry.bucket === bucket));
      this.#byBucket.set(bucket, services);
    }
    return services;
  }
}

/** What revisions of before 0.2 do not say. */
const NOT_SAID_BEFORE = {
  imageDigest: null,
  imagePullSecrets: [],
  imagePrefetch: false,
  minInstances: 0,
  reuse: false,
};

export function toRevision(row: RevisionRow): Revision {
  return {
    id: row.id,
    service: row.service,
    owner: row.owner,
    createdAt: row.created_at,
    spec: { ...NOT_SAID_BEFORE, ...(JSON.parse(row.spec) as Service) },
  };
}

/** Adds to a bounded map; the entry that came first goes when it is full. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  if (map.has(key)) return;
  const oldest = map.keys().next();
  if (map.size >= most && !oldest.done) map.delete(oldest.value);
  map.set(key, value);
}
