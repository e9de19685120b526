import type * as buckets from "../gateway/schemas/buckets.ts";
import type * as changes from "../gateway/schemas/changes.ts";
import type * as common from "../gateway/schemas/common.ts";
import type * as images from "../gateway/schemas/images.ts";
import type * as jobs from "../gateway/schemas/jobs.ts";
import type * as logs from "../gateway/schemas/service-logs.ts";
import type * as services from "../gateway/schemas/services.ts";
import type * as storeCheck from "../gateway/schemas/store-check.ts";
import type * as system from "../gateway/schemas/system.ts";

// What the API answers, as types only: they are derived from the schemas that the server documents, and nothing of them is loaded here.

export type Job = jobs.Job;
export type JobDetail = jobs.JobDetail;
export type JobPage = jobs.JobPage;
export type JobState = Job["state"];
export type Service = services.Service;
export type ApplyAnswer = services.ApplyAnswer;
export type Bucket = buckets.Bucket;
export type BucketPage = buckets.BucketPage;
export type ServiceLogs = logs.ServiceLogs;
export type Change = changes.Change;
export type Config = system.Config;
export type Info = system.Info;
export type Status = system.Status;
export type Readiness = system.Readiness;
export type BackupAnswer = system.BackupAnswer;
export type StoreFinding = storeCheck.StoreFinding;
export type StoredImage = images.StoredImage;
export type FreedAnswer = images.FreedAnswer;
export type PullEvent = images.PullEvent;
export type Problem = common.Problem;

/** Said in the place of changes that are no longer kept: read anew what you follow. */
export interface Gap extends changes.Gap {
  readonly kind: "gap";
  readonly key: "";
}
