import type { ObjectInfo } from "../../core/object.ts";
import type { Principal } from "../../core/principal.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { DeleteTarget, ObjectCalls } from "../../state/object-calls.ts";
import type { PartStore } from "../multipart/part-store.ts";
import { parseXmlBody } from "../xml-body.ts";
import { dueAt, isDue } from "./due.ts";
import { type LifecycleRule, readLifecycle } from "./rules.ts";
import { withPlaces } from "./version-places.ts";

const INTERVAL_MS = 60 * 60_000;
const PAGE = 1000;
const DAY_MS = 86_400_000;

export interface LifecycleOptions {
  readonly state: Pick<
    ObjectCalls,
    "bucketsWithConfig" | "listVersions" | "deleteObjects" | "listUploads" | "abortUpload" | "forgetCompletedUploads"
  >;
  readonly parts: Pick<PartStore, "forget">;
  /** In whose name objects are removed. */
  readonly by: Principal;
  readonly clock: Clock;
  readonly log: Log;
  /** Default one hour. */
  readonly intervalMs?: number;
}

/** Carries out what buckets' lifecycles say, and forgets completed uploads after a day. A page at a time, so that nothing else waits. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  start(): void {
    void this.run();
    this.#timer = setInterval(() => void this.run(), this.#options.intervalMs ?? INTERVAL_MS);
    this.#timer.unref();
  }

  /** One whole round, or the one that is running. Its failures are logged, and the next round tries again. */
  run(): Promise<void> {
    this.#running ??= this.#round()
      .catch((error: unknown) =>
        this.#options.log.warn("cannot carry out the buckets' lifecycles: will try again", { error }),
      )
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  async #round(): Promise<void> {
    const { state, clock } = this.#options;
    while ((await state.forgetCompletedUploads(clock.now() - DAY_MS, PAGE)) === PAGE) if (this.#closed) return;
    for (const { bucket, body } of await state.bucketsWithConfig("lifecycle")) {
      await this.#carryOut(bucket, body).catch((error: unknown) =>
        this.#options.log.warn("cannot carry out the lifecycle of a bucket: will try again", { bucket, error }),
      );
    }
  }

  async #carryOut(bucket: string, body: string): Promise<void> {
    const rules = readLifecycle(parseXmlBody(Buffer.from(body), "LifecycleConfiguration"));
    const enabled = rules.filter((rule) => rule.enabled);
    await this.#expireVersions(bucket, enabled);
    await this.#abortUploads(bucket, enabled);
  }

  async #expireVersions(bucket: string, rules: readonly LifecycleRule[]): Promise<void> {
    const expiring = rules.filter((rule) => rule.expiration !== null || rule.noncurrent !== null);
    if (expiring.length === 0) return;
    const now = this.#options.clock.now();
    let targets: DeleteTarget[] = [];
    for await (const { version, place } of withPlaces(this.#versions(bucket, sharedPrefix(expiring)))) {
      if (this.#closed) return;
      if (!expiring.some((rule) => isDue(rule, version, place, now))) continue;
      targets.push(targetOf(version));
      if (targets.length < PAGE) continue;
      await this.#remove(bucket, targets, now);
      targets = [];
    }
    if (targets.length > 0) await this.#remove(bucket, targets, now);
  }

  async #remove(bucket: string, targets: readonly DeleteTarget[], now: number): Promise<void> {
    const deleted = await this.#options.state.deleteObjects(this.#options.by, bucket, targets, now);
    const count = deleted.filter((each) => each.existed && !each.refused).length;
    this.#options.log.info("objects expired", { bucket, count });
  }

  async *#versions(bucket: string, prefix: string): AsyncGenerator<ObjectInfo> {
    let afterKey = "";
    let afterVersionId: string | null = null;
    for (;;) {
      const query = { bucket, prefix, delimiter: "", afterKey, afterVersionId, limit: PAGE };
      const page = await this.#options.state.listVersions(query);
      yield* page.versions;
      if (page.next === null) return;
      afterKey = page.next.key;
      afterVersionId = page.next.versionId;
    }
  }

  async #abortUploads(bucket: string, rules: readonly LifecycleRule[]): Promise<void> {
    const { state, parts, clock } = this.#options;
    const aborting = rules.filter((rule) => rule.abortAfterDays !== null);
    let after: { key: string; uploadId: string | null } | null = { key: "", uploadId: null };
    while (after !== null && aborting.length > 0 && !this.#closed) {
      const query = {
        bucket,
        prefix: "",
        delimiter: "",
        afterKey: after.key,
        afterUploadId: after.uploadId,
        limit: PAGE,
      };
      const page = await state.listUploads(query);
      for (const { key, uploadId, initiatedAt } of page.uploads) {
        const due = aborting.some(
          (rule) => key.startsWith(rule.filter.prefix) && dueAt(initiatedAt, rule.abortAfterDays ?? 0) <= clock.now(),
        );
        if (due && (await state.abortUpload(bucket, key, uploadId))) await parts.forget(uploadId);
      }
      after = page.next;
    }
  }
}

/** What all rules' keys begin with: no other key need be looked at. */
function sharedPrefix(rules: readonly LifecycleRule[]): string {
  let shared = rules[0]?.filter.prefix ?? "";
  for (const { filter } of rules) while (!filter.prefix.startsWith(shared)) shared = shared.slice(0, -1);
  return shared.toWellFormed() === shared ? shared : shared.slice(0, -1);
}

/** The latest version expires by a delete of its key, which leaves a marker where versions are kept; what came meanwhile stays. A version that
 *  is not the latest, and a marker, are removed for good. */
function targetOf(version: ObjectInfo): DeleteTarget {
  const { key, versionId, etag } = version;
  return version.isLatest && !version.isDeleteMarker ? { key, ifMatch: etag } : { key, versionId };
}
