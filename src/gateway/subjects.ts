import type { Job } from "../core/job.ts";
import type { Bucket } from "../core/object.ts";
import type { ServiceRecord } from "../core/service.ts";
import type { Resource } from "../identity/identity.ts";
import type { FindSubject } from "./route.ts";

/** What calls without a named thing are about: the caller's own things of a kind. Listings then show no others'. */
export function ownThings<P>(kind: Resource["kind"]): FindSubject<P, undefined> {
  return async (_deps, _params, by) => ({ resource: { kind, name: "", owner: by.subject }, value: undefined });
}

/** For calls whose right lies with the kind alone: `bucket.list`, `system.read` … */
export function anyThing<P>(kind: Resource["kind"]): FindSubject<P, undefined> {
  return async () => ({ resource: { kind, name: "", owner: null }, value: undefined });
}

export const serviceNamed: FindSubject<{ name: string }, ServiceRecord> = async ({ state }, { name }) => {
  const record = await state.service(name);
  return record === null ? null : { resource: { kind: "service", name, owner: record.owner }, value: record };
};

export const jobWithId: FindSubject<{ id: string }, Job> = async ({ state }, { id }) => {
  const job = await state.job(id);
  return job === null ? null : { resource: { kind: "job", name: id, owner: job.owner }, value: job };
};

/** A job under its service's name, as OSCAR's log calls give it. */
export const jobOfService: FindSubject<{ name: string; job: string }, Job> = async (deps, { name, job: id }, by) => {
  const found = await jobWithId(deps, { id }, by);
  return found?.value.service === name ? found : null;
};

export const bucketNamed: FindSubject<{ bucket: string }, Bucket> = async ({ state }, { bucket: name }) => {
  const bucket = await state.bucket(name);
  return bucket === null ? null : { resource: { kind: "bucket", name, owner: bucket.owner }, value: bucket };
};
