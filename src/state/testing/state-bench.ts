import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Change } from "../../core/change.ts";
import { newBlobId, newEventId } from "../../core/ids.ts";
import { type AttemptResult, type Job, type Lease, NO_USAGE } from "../../core/job.ts";
import type { StagedBlob } from "../../core/object.ts";
import { type Principal, SYSTEM_PRINCIPAL } from "../../core/principal.ts";
import type { Service, StorageEntry } from "../../core/service.ts";
import { openState } from "../open.ts";
import type { LeasedJob, NewJob, StagedOutput, State, Upload } from "../state.ts";

/** Every driver of the contract suite: opens (again) what lies in a folder. */
export const DRIVERS: Readonly<Record<string, (folder: string) => Promise<State>>> = {
  sqlite: (folder) => openState({ driver: "sqlite", file: join(folder, "state.db") }),
};

export const ADMIN = SYSTEM_PRINCIPAL;
export const ADA: Principal = { issuer: "local", subject: "ada", groups: [], scopes: [], via: "basic" };
export const BEN: Principal = { ...ADA, subject: "ben" };
const WORKER = "w";

export function entry(path: string, over: Partial<StorageEntry> = {}): StorageEntry {
  const [bucket = "", ...folder] = path.split("/");
  const unfiltered = { prefixes: [], suffixes: [], optional: false };
  return { provider: "minio.default", bucket, folder: folder.join("/"), ...unfiltered, ...over };
}

/** A service that reads `input` and writes `output`, each `bucket/folder` or nothing. */
export function service(name: string, input = "", output = "", over: Partial<Service> = {}): Service {
  return {
    name,
    image: "host",
    imageDigest: null,
    imagePullSecrets: [],
    imagePrefetch: false,
    minInstances: 0,
    reuse: false,
    script: ":\n",
    resources: { cpu: 500 },
    cpuLimit: false,
    timeoutMs: null,
    retries: { maxAttempts: 1, backoffMs: 0 },
    concurrency: null,
    network: "none",
    inputs: input === "" ? [] : [entry(input)],
    outputs: output === "" ? [] : [entry(output)],
    onConflict: "overwrite",
    allowLoops: false,
    skipStageIn: false,
    variables: {},
    secrets: {},
    logLevel: "INFO",
    visibility: "private",
    allowedUsers: [],
    definition: {},
    ...over,
  };
}

/** Durable bytes as the blob room hands them over: in the row, or (`file`) as a file of that name. */
export function blob(text: string, how: "inline" | "file" = "file"): StagedBlob {
  return {
    blobId: newBlobId(),
    sizeBytes: Buffer.byteLength(text),
    md5: createHash("md5").update(text).digest("hex"),
    blockCrc32c: new Uint8Array(4),
    inline: how === "inline" ? Buffer.from(text) : null,
  };
}

export function output(path: string, text = "result"): StagedOutput {
  const [bucket = "", ...key] = path.split("/");
  return { bucket, key: key.join("/"), blob: blob(text), contentType: "text/plain" };
}

export function result(outcome: AttemptResult["outcome"]): AttemptResult {
  return { outcome, message: "", exitCode: outcome === "exit" ? 7 : 0, signal: null, usage: NO_USAGE };
}

/** One state in a folder of its own, with the short words that its tests speak. */
export class StateBench {
  state: State;
  readonly folder: string;
  readonly #open: (folder: string) => Promise<State>;

  private constructor(folder: string, open: (folder: string) => Promise<State>, state: State) {
    this.folder = folder;
    this.#open = open;
    this.state = state;
  }

  static async open(driver: string): Promise<StateBench> {
    const open = DRIVERS[driver];
    if (open === undefined) throw new Error(`there is no driver ${driver}`);
    const folder = mkdtempSync(join(tmpdir(), "sluice-state-"));
    return new StateBench(folder, open, await open(folder));
  }

  async reopen(): Promise<void> {
    await this.state.close();
    this.state = await this.#open(this.folder);
  }

  async close(): Promise<void> {
    await this.state.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  apply(...specs: readonly Service[]) {
    return this.state.applyServices(ADMIN, specs, "apply");
  }

  /** Uploads text under `bucket/key`; the answer names the jobs it started. */
  put(path: string, text = "text", over: Partial<Upload> = {}) {
    const [bucket = "", ...key] = path.split("/");
    const facts = { contentType: "text/plain", metadata: {}, headers: {}, checksums: {} };
    const upload = { bucket, key: key.join("/"), blob: blob(text), condition: null, lineage: null, at: Date.now() };
    return this.state.commitUpload({ by: ADMIN, ...facts, ...upload, ...over });
  }

  call(serviceName: string, over: Partial<NewJob> = {}): Promise<Job> {
    const id = newEventId();
    const chain = { rootId: id, parentJobId: null, hops: 0 };
    const event = { id, source: "http" as const, time: Date.now(), object: null, ...chain, payload: "{}" };
    return this.state.enqueue({
      by: ADMIN,
      service: serviceName,
      event,
      body: null,
      runName: null,
      priority: 0,
      ...over,
    });
  }

  /** Leases what can be leased of these jobs now. */
  leases(jobIds: readonly string[], worker = WORKER, now = Date.now()): Promise<LeasedJob[]> {
    const grants = { resources: { cpu: 500 }, devices: [] };
    return this.state.leaseJobs(
      jobIds.map((jobId) => ({ jobId, worker, grants })),
      now,
    );
  }

  async lease(jobId: string, worker = WORKER): Promise<LeasedJob> {
    const [leased] = await this.leases([jobId], worker);
    if (leased === undefined) throw new Error(`job ${jobId} cannot be leased`);
    return leased;
  }

  finish(lease: Lease, outcome: AttemptResult["outcome"] = "ok", outputs: readonly StagedOutput[] = []) {
    return this.state.finishAttempt(lease, result(outcome), outputs, null, Date.now());
  }

  /** Leases, starts and finishes a job at once. */
  async run(jobId: string, outcome: AttemptResult["outcome"] = "ok", outputs: readonly StagedOutput[] = []) {
    const { lease } = await this.lease(jobId);
    await this.state.startAttempt(lease, Date.now());
    return this.finish(lease, outcome, outputs);
  }

  async heads(serviceName: string, now = Date.now()): Promise<string[]> {
    const [queue] = await this.state.queues([serviceName], 64, now);
    return (queue?.heads ?? []).map((head) => head.jobId);
  }

  async keys(bucket: string, prefix = ""): Promise<string[]> {
    const { objects } = await this.state.listObjects({ bucket, prefix, after: "", delimiter: "", limit: 100_000 });
    return objects.map((object) => object.key);
  }

  /** The whole change log, which must have no gap. */
  async changes(kind = ""): Promise<Change[]> {
    const all: Change[] = [];
    for (;;) {
      const page = await this.state.changes(all.at(-1)?.seq ?? 0, 1000, null);
      all.push(...page);
      if (page.length === 0) break;
    }
    all.forEach((change, index) => {
      if (change.seq !== (all[0]?.seq ?? 0) + index) throw new Error(`the change log has a gap before ${change.seq}`);
    });
    return all.filter((change) => change.kind.startsWith(kind));
  }

  /** Until the background has nothing left to do. */
  async settle(): Promise<void> {
    while (await this.state.continueFanOut(1000));
  }

  garbage(): Promise<string[]> {
    return this.state.garbageBlobs(100_000);
  }
}
