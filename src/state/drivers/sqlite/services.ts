import { SluiceError } from "../../../core/errors.ts";
import { EMBEDDED_PROVIDER } from "../../../core/filters.ts";
import { newToken } from "../../../core/ids.ts";
import { isAdmin, type Principal } from "../../../core/principal.ts";
import type { Service, ServiceRecord } from "../../../core/service.ts";
import type { AppliedService } from "../../state.ts";
import { ensureBucket, removeBucketWithObjects } from "./buckets.ts";
import { cancelQueued } from "./cancel-queued.ts";
import { canonicalJson } from "./canonical-json.ts";
import { appendChange } from "./changes.ts";
import { addRevision, removeUnusedRevisions, retireRevision } from "./revisions.ts";
import { toRevision } from "./service-cache.ts";
import type { Store } from "./store.ts";
import { tokenHash } from "./tokens.ts";

interface ServiceRow {
  readonly name: string;
  readonly owner: string;
  readonly token: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly revision: string;
  readonly revision_owner: string;
  readonly revision_created_at: number;
  readonly spec: string;
}

const SELECT = `SELECT s.name, s.owner, s.token, s.created_at, s.updated_at, s.revision, r.owner revision_owner,
  r.created_at revision_created_at, r.spec FROM services s JOIN revisions r ON r.id = s.revision`;
const FIND = `${SELECT} WHERE s.name = ?`;
const ALL = `${SELECT} ORDER BY s.name`;
const OF_OWNER = `${SELECT} WHERE s.owner = ? ORDER BY s.name`;
const INSERT =
  "INSERT INTO services (name, owner, token, token_hash, created_at, updated_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?)";
const UPDATE = "UPDATE services SET updated_at = ?, revision = ? WHERE name = ?";
const DELETE = "DELETE FROM services WHERE name = ?";

type Mode = "apply" | "create" | "update";

export function applyServices(store: Store, by: Principal, specs: readonly Service[], mode: Mode): AppliedService[] {
  store.services.forget();
  return specs.map((spec) => ({ name: spec.name, result: applyService(store, by, spec, mode) }));
}

function applyService(store: Store, by: Principal, spec: Service, mode: Mode): AppliedService["result"] {
  const before = findRow(store, spec.name);
  checkMode(by, spec.name, before, mode);
  for (const bucket of embeddedBuckets(spec)) ensureBucket(store, by, bucket);
  const json = canonicalJson(spec);
  if (before === undefined) return insertService(store, by, spec.name, json);
  if (before.spec === json) return "unchanged";
  return updateService(store, before, json);
}

function checkMode(by: Principal, name: string, before: ServiceRow | undefined, mode: Mode): void {
  if (before === undefined) {
    if (mode === "update") throw unknownService(name);
    return;
  }
  if (before.owner !== by.subject && !isAdmin(by)) {
    throw new SluiceError(
      "FORBIDDEN",
      `Cannot apply service "${name}": the name belongs to another user (choose another)`,
    );
  }
  if (mode === "create")
    throw new SluiceError("SERVICE_EXISTS", `Cannot create service "${name}": it exists (update it)`);
}

function insertService(store: Store, by: Principal, name: string, spec: string): "created" {
  const at = Date.now();
  const token = newToken();
  const revision = addRevision(store, name, by.subject, at, spec);
  store.db.run(INSERT, name, by.subject, token, tokenHash(token), at, at, revision);
  store.tally.openCounts(name, by.subject);
  noteService(store, "service.created", name, by.subject, revision, at);
  return "created";
}

function updateService(store: Store, before: ServiceRow, spec: string): "updated" {
  const at = Date.now();
  const revision = addRevision(store, before.name, before.owner, at, spec);
  retireRevision(store, before.revision);
  store.db.run(UPDATE, at, revision, before.name);
  removeUnusedRevisions(store, before.name);
  store.tally.wake(before.name);
  noteService(store, "service.updated", before.name, before.owner, revision, at);
  return "updated";
}

export function removeService(store: Store, _by: Principal, name: string, data: boolean): void {
  store.services.forget();
  const row = findRow(store, name);
  if (row === undefined) throw unknownService(name);
  cancelQueued(store, name, row.owner);
  store.db.run(DELETE, name);
  retireRevision(store, row.revision);
  removeUnusedRevisions(store, name);
  noteService(store, "service.removed", name, row.owner, row.revision, Date.now());
  if (data) removeOwnBuckets(store, JSON.parse(row.spec) as Service);
}

/** Buckets that another service names stay. */
function removeOwnBuckets(store: Store, spec: Service): void {
  const shared = new Set(
    store.db.all<ServiceRow>(ALL).flatMap((row) => embeddedBuckets(JSON.parse(row.spec) as Service)),
  );
  for (const bucket of embeddedBuckets(spec)) {
    if (!shared.has(bucket)) removeBucketWithObjects(store, bucket);
  }
}

export function service(store: Store, name: string): ServiceRecord | null {
  const row = findRow(store, name);
  return row === undefined ? null : toRecord(row);
}

export function services(store: Store, owner: string | null): ServiceRecord[] {
  const rows = owner === null ? store.db.all<ServiceRow>(ALL) : store.db.all<ServiceRow>(OF_OWNER, owner);
  return rows.map(toRecord);
}

const findRow = (store: Store, name: string): ServiceRow | undefined => store.db.get<ServiceRow>(FIND, name);

const unknownService = (name: string): SluiceError =>
  new SluiceError("SERVICE_UNKNOWN", `Cannot find service "${name}": it does not exist`);

function embeddedBuckets({ inputs, outputs }: Pick<Service, "inputs" | "outputs">): string[] {
  const embedded = [...inputs, ...outputs].filter((entry) => entry.provider === EMBEDDED_PROVIDER);
  return [...new Set(embedded.map((entry) => entry.bucket))];
}

function toRecord(row: ServiceRow): ServiceRecord {
  return {
    name: row.name,
    owner: row.owner,
    token: row.token,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: toRevision({
      id: row.revision,
      service: row.name,
      owner: row.revision_owner,
      created_at: row.revision_created_at,
      spec: row.spec,
    }),
  };
}

/** The definition stays out of the log: it may hold secrets. */
function noteService(
  store: Store,
  kind: "service.created" | "service.updated" | "service.removed",
  name: string,
  owner: string,
  revisionId: string,
  at: number,
): void {
  appendChange(store, { at, owner, kind, key: name, sequencer: 0, data: { service: name, revisionId } });
}
