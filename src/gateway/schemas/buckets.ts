import { z } from "zod";
import { flag, instant, pageSize } from "./common.ts";

export const bucketParams = z.object({ bucket: z.string().min(1) });

export const newBucket = z.object({
  bucket_name: z.string(),
  visibility: z.enum(["private", "restricted", "public", ""]).nullish(),
  allowed_users: z.array(z.string()).nullish(),
});

export const bucket = z.object({
  bucket_name: z.string(),
  visibility: z.literal("private"),
  allowed_users: z.array(z.string()),
  owner: z.string(),
  metadata: z.record(z.string(), z.string()),
  created_at: instant,
});

export const bucketPage = bucket.extend({
  objects: z.array(
    z.object({ object_name: z.string(), size_bytes: z.number(), owner: z.string(), last_modified: instant }),
  ),
  next_page: z.string().optional(),
  is_truncated: z.boolean(),
  returned_items: z.int(),
});

export const bucketQuery = z.object({
  page: z.string().default("").describe("`next_page` of the page before"),
  prefix: z.string().default(""),
  limit: pageSize(1000, 70),
});

export const removeBucketQuery = z.object({
  data: flag.describe("true removes its objects first; without it only an empty bucket goes"),
});

export type Bucket = z.output<typeof bucket>;
export type BucketPage = z.output<typeof bucketPage>;
