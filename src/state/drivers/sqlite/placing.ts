import type { Reason } from "../../../core/job.ts";
import { MAX_KEY_BYTES } from "../../../core/keys.ts";
import { renamedKey } from "../../../core/output-key.ts";
import type { ConflictPolicy } from "../../../core/service.ts";
import type { StagedOutput } from "../../state.ts";
import { type BucketRow, findBucket } from "./bucket-rows.ts";
import { settleKey } from "./fan-out.ts";
import type { JobRow } from "./job-rows.ts";
import type { Store } from "./store.ts";
import { latestVersion } from "./version-rows.ts";

/** Why an attempt that ended well cannot publish; it becomes the attempt's outcome. */
export interface Refusal {
  readonly reason: Extract<Reason, "output_conflict" | "output_invalid" | "output_name">;
  readonly message: string;
}

/** Where an output goes, and whether an object of another job gives way to it. `bucket` is 0 when there is none: then there is a refusal. */
export interface Place {
  readonly bucket: number;
  readonly bucketName: string;
  readonly key: string;
  readonly replaces: boolean;
}

const RETRY_OF = "SELECT retry_of FROM jobs WHERE id = ?";
/** Retries by hand of retries by hand that are followed back. */
const MAX_CHAIN = 100;

/** Finds the places of one attempt's outputs by the service's `on_conflict`. A conflict is an object that another job made under the same
 *  key; attempts of the same job, and jobs that this one retries by hand, are not other jobs. The first refusal is kept. */
export class Placing {
  readonly #store: Store;
  readonly #job: JobRow;
  readonly #policy: ConflictPolicy;
  readonly #buckets = new Map<string, BucketRow | undefined>();
  #chain: ReadonlySet<string> | null = null;
  refusal: Refusal | null;
  /** Objects of other jobs that give way. */
  replaced = 0;

  constructor(store: Store, job: JobRow, refusal: Refusal | null) {
    this.#store = store;
    this.#job = job;
    this.#policy = store.services.revision(job.revision).spec.onConflict;
    this.refusal = refusal;
  }

  place(output: StagedOutput): Place {
    const bucket = this.bucket(output.bucket);
    if (bucket === undefined) {
      this.#refuse(
        "output_invalid",
        `bucket "${output.bucket}" does not exist (create it, or apply the service again)`,
      );
      return { bucket: 0, bucketName: output.bucket, key: output.key, replaces: false };
    }
    settleKey(this.#store, bucket, output.key);
    const before = latestVersion(this.#store, bucket.id, output.key);
    const replacedBefore = this.replaced;
    const key = before === undefined ? output.key : this.keyBeside(bucket, output.key, before.job_id);
    return { bucket: bucket.id, bucketName: bucket.name, key, replaces: this.replaced > replacedBefore };
  }

  bucket(name: string): BucketRow | undefined {
    if (!this.#buckets.has(name)) this.#buckets.set(name, findBucket(this.#store, name));
    return this.#buckets.get(name);
  }

  /** The output's key, given that an object made by `jobId` (null: by no job) has `key` now. */
  keyBeside(bucket: Pick<BucketRow, "id" | "name">, key: string, jobId: string | null): string {
    if (jobId === null || this.#isOwn(jobId)) return key;
    if (this.#policy === "rename") return this.#rename(bucket, key);
    if (this.#policy === "fail") {
      const cure = "use {job} or {stem} in the output path, or on_conflict: rename";
      this.#refuse("output_conflict", `"${bucket.name}/${key}" is an output of job ${jobId} (${cure})`);
    } else this.replaced += 1;
    return key;
  }

  #rename(bucket: Pick<BucketRow, "id" | "name">, key: string): string {
    const renamed = renamedKey(key, this.#job.id);
    if (Buffer.byteLength(renamed, "utf8") <= MAX_KEY_BYTES) return renamed;
    this.#refuse(
      "output_name",
      `"${bucket.name}/${key}" exists and its new name would have over ${MAX_KEY_BYTES} bytes`,
    );
    return key;
  }

  #refuse(reason: Refusal["reason"], state: string): void {
    this.refusal ??= { reason, message: `Cannot publish the outputs: ${state}` };
  }

  #isOwn(jobId: string): boolean {
    if (jobId === this.#job.id) return true;
    this.#chain ??= this.#retriedJobs();
    return this.#chain.has(jobId);
  }

  #retriedJobs(): ReadonlySet<string> {
    const chain = new Set<string>();
    let id = this.#job.retry_of;
    while (id !== null && !chain.has(id) && chain.size < MAX_CHAIN) {
      chain.add(id);
      id = this.#store.db.get<{ retry_of: string | null }>(RETRY_OF, id)?.retry_of ?? null;
    }
    return chain;
  }
}
