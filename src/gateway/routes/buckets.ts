import { z } from "zod";
import { SluiceError } from "../../core/errors.ts";
import { checkBucketName } from "../../core/keys.ts";
import type { Bucket } from "../../core/object.ts";
import { isAdmin, type Principal } from "../../core/principal.ts";
import type { State } from "../../state/state.ts";
import { empty, json, rfc3339 } from "../answers.ts";
import { decodePage, encodePage } from "../page-token.ts";
import { type Route, route } from "../route.ts";
import {
  type BucketPage,
  type Bucket as BucketView,
  bucket,
  bucketPage,
  bucketParams,
  bucketQuery,
  newBucket,
  removeBucketQuery,
} from "../schemas/buckets.ts";
import { anyThing, bucketNamed } from "../subjects.ts";

const TAG = "buckets";
const PATH = "/system/buckets";
const REMOVED_AT_ONCE = 500;

export const bucketRoutes: readonly Route[] = [
  route({
    id: "listBuckets",
    method: "GET",
    path: PATH,
    tag: TAG,
    summary: "The buckets that the caller owns; for the administrator all",
    errors: "oscar",
    access: { kind: "action", action: "bucket.list" },
    subject: anyThing("bucket"),
    answers: { 200: { description: "The buckets, by name", schema: z.array(bucket) } },
    async handle({ state }, { by }) {
      const buckets = await state.buckets(isAdmin(by) ? null : by.subject);
      return json(buckets.map(bucketView));
    },
  }),
  route({
    id: "createBucket",
    method: "POST",
    path: PATH,
    tag: TAG,
    summary: "Make a bucket",
    errors: "oscar",
    statusOf: { BUCKET_EXISTS: 400 },
    access: { kind: "action", action: "bucket.write" },
    subject: anyThing("bucket"),
    body: newBucket,
    answers: { 201: { description: "Made" } },
    async handle({ state }, { by, body }) {
      checkBucketName(body.bucket_name);
      refuseSharing(body);
      await state.createBucket(by, body.bucket_name);
      return empty(201);
    },
  }),
  route({
    id: "getBucket",
    method: "GET",
    path: `${PATH}/:bucket`,
    tag: TAG,
    summary: "A bucket with a page of its objects, by key",
    errors: "oscar",
    access: { kind: "action", action: "bucket.list" },
    subject: bucketNamed,
    hidden: "BUCKET_UNKNOWN",
    params: bucketParams,
    query: bucketQuery,
    answers: { 200: { description: "The bucket", schema: bucketPage } },
    handle: async ({ state }, { subject, query }) => json(await objectsPage(state, subject, query)),
  }),
  route({
    id: "removeBucket",
    method: "DELETE",
    path: `${PATH}/:bucket`,
    tag: TAG,
    summary: "Delete an empty bucket, or with data=true one that holds objects",
    errors: "oscar",
    access: { kind: "action", action: "bucket.write" },
    subject: bucketNamed,
    hidden: "BUCKET_UNKNOWN",
    params: bucketParams,
    query: removeBucketQuery,
    answers: { 204: { description: "Deleted" } },
    async handle({ state, clock }, { by, params, query, signal }) {
      if (query.data) {
        await removeVersions(state, by, params.bucket, () => clock.now(), signal);
      }
      await state.deleteBucket(by, params.bucket);
      return empty(204);
    },
  }),
];

const bucketView = ({ name, owner, createdAt }: Bucket): BucketView => ({
  bucket_name: name,
  visibility: "private",
  allowed_users: [],
  owner,
  metadata: {},
  created_at: rfc3339(createdAt),
});

async function objectsPage(state: State, of: Bucket, query: z.output<typeof bucketQuery>): Promise<BucketPage> {
  const { after, seen } = decodePage(query.page);
  const { objects, next } = await state.listObjects({
    bucket: of.name,
    prefix: query.prefix,
    after,
    delimiter: "",
    limit: query.limit,
  });
  return {
    ...bucketView(of),
    objects: objects.map((object) => ({
      object_name: object.key,
      size_bytes: object.sizeBytes,
      owner: object.owner,
      last_modified: rfc3339(object.lastModified),
    })),
    ...(next === null ? {} : { next_page: encodePage({ after: next, seen: seen + objects.length }) }),
    is_truncated: next !== null,
    returned_items: objects.length,
  };
}

/** Buckets are private here: a wish for more is refused, never ignored. */
function refuseSharing(body: z.output<typeof newBucket>): void {
  const visibility = body.visibility ?? "";
  if (visibility !== "" && visibility !== "private") {
    throw new SluiceError("UNSUPPORTED", `Cannot make a ${visibility} bucket: this version keeps buckets private`);
  }
}

/** Removes page after page of versions, in transactions that are short enough for others. */
async function removeVersions(
  state: State,
  by: Principal,
  bucketName: string,
  now: () => number,
  signal: AbortSignal,
): Promise<void> {
  const query = { bucket: bucketName, prefix: "", delimiter: "", limit: REMOVED_AT_ONCE };
  let [afterKey, afterVersionId]: [string, string | null] = ["", null];
  while (!signal.aborted) {
    const { versions, next } = await state.listVersions({ ...query, afterKey, afterVersionId });
    const targets = versions.map(({ key, versionId }) => ({ key, versionId }));
    if (targets.length > 0) await state.deleteObjects(by, bucketName, targets, now());
    if (next === null) return;
    [afterKey, afterVersionId] = [next.key, next.versionId];
  }
}
