import { z } from "zod";
import type { ChangeKind } from "../../core/change.ts";
import { anyObject, instant } from "./common.ts";

/** Closed by the type system: a kind of `core/change.ts` that is missing here does not compile. */
const KINDS = {
  "object.created": true,
  "object.removed": true,
  "object.tagged": true,
  "bucket.created": true,
  "bucket.updated": true,
  "bucket.removed": true,
  "service.created": true,
  "service.updated": true,
  "service.removed": true,
  "job.queued": true,
  "job.running": true,
  "job.retrying": true,
  "job.succeeded": true,
  "job.failed": true,
  "job.cancelled": true,
  "job.removed": true,
  "attempt.fenced": true,
  "image.pulling": true,
  "image.pulled": true,
  "image.failed": true,
} as const satisfies Record<ChangeKind, true>;

const kinds = Object.keys(KINDS) as ChangeKind[];

const change = z.object({
  seq: z.int(),
  at: instant,
  kind: z.enum(kinds),
  key: z.string().describe("A job id, a service's name, bucket/key, or an image's name"),
  owner: z.string(),
  sequencer: z.number().describe("Orders the changes of one key"),
  data: anyObject,
});

/** Said instead of changes that are no longer kept: read anew what you follow. */
const gap = z.object({ first_missing: z.int(), last_missing: z.int() });

export const changesQuery = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe("Changes after this number; the header Last-Event-ID goes before it. Default: those to come"),
  kinds: z
    .string()
    .transform((text) => text.split(",").map((kind) => kind.trim()))
    .pipe(z.array(z.enum(kinds)))
    .optional()
    .describe("Only these kinds, with commas"),
  owner: z.string().optional().describe("Only what belongs to this user; the administrator may name anybody"),
});

export type Change = z.output<typeof change>;
export type Gap = z.output<typeof gap>;
