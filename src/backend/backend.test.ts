import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AttemptResult } from "../core/job.ts";
import { NO_USAGE } from "../core/job.ts";
import { SYSTEM_PRINCIPAL } from "../core/principal.ts";
import type { Service } from "../core/service.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { openState } from "../state/open.ts";
import type { LeasedJob, StagedOutput, State } from "../state/state.ts";
import type { Backend } from "./backend.ts";
import { openBackend } from "./open.ts";

/** What a script of these tests does; each driver turns it into its own kind of attempt. */
interface Act {
  readonly outcome?: AttemptResult["outcome"];
  readonly outputs?: readonly string[];
  /** Runs until it is stopped. */
  readonly endless?: boolean;
  /** Runs this long. */
  readonly runMs?: number;
}

interface Rig {
  readonly backend: Backend;
  /** Blobs given back because nothing names them. */
  readonly discarded: string[];
}

type Driver = (state: State, act: Act) => Promise<Rig>;

const worker = { capacity: { cpu: 2000 }, slots: 2 };

function output(name: string): StagedOutput {
  const blob = {
    blobId: name.padEnd(32, "0"),
    sizeBytes: 1,
    md5: "0cc175b9c0f1b6a831c399e269772661",
    blockCrc32c: new Uint8Array(4),
    inline: null,
  };
  return { bucket: "work", key: `out/${name}`, contentType: "text/plain", blob };
}

const DRIVERS: Record<string, Driver> = {
  mock: async (state, act) => ({
    discarded: [],
    backend: await openBackend({
      driver: "mock",
      name: "mock",
      worker,
      state,
      clock: systemClock,
      behave: () => ({
        runMs: act.endless ? 1e6 : (act.runMs ?? 0),
        outcome: act.outcome ?? "ok",
        outputs: (act.outputs ?? []).map(output),
      }),
    }),
  }),
  local: async (state, act) => {
    const discarded: string[] = [];
    const backend = await openBackend({
      driver: "local",
      name: "local",
      worker,
      state,
      clock: systemClock,
      log: silentLog,
      blobs: {
        materialise: async () => "/nowhere",
        adopt: async (path) => output(path).blob,
        discard: async (ids) => void discarded.push(...ids),
      },
      logs: {
        writer: () => ({
          write: () => {},
          finish: async () => Buffer.from("log"),
          discard: async () => {},
          release: async () => {},
        }),
      },
      supervise: async (_, host) => {
        await host.started();
        if (act.endless) await new Promise((resolve) => host.signal.addEventListener("abort", resolve, { once: true }));
        else await new Promise((resolve) => setTimeout(resolve, act.runMs ?? 0));
        const outcome = host.signal.aborted ? host.signal.reason : (act.outcome ?? "ok");
        const staged = await Promise.all(
          (act.outputs ?? []).map((name) => host.stageOutput(output(name), name, "move")),
        );
        const exitCode = outcome === "exit" ? 7 : null;
        await host.finish(
          { outcome, message: "", exitCode, signal: null, usage: NO_USAGE },
          outcome === "ok" ? staged : [],
        );
      },
    });
    return { backend, discarded };
  },
};

const SERVICE: Service = {
  name: "thumbs",
  image: "host",
  imageDigest: null,
  imagePullSecrets: [],
  imagePrefetch: false,
  minInstances: 0,
  reuse: false,
  script: ":",
  resources: { cpu: 100 },
  cpuLimit: false,
  timeoutMs: null,
  retries: { maxAttempts: 1, backoffMs: 0 },
  concurrency: null,
  network: "none",
  inputs: [],
  outputs: [{ provider: "minio.default", bucket: "work", folder: "out", prefixes: [], suffixes: [], optional: false }],
  onConflict: "overwrite",
  allowLoops: false,
  skipStageIn: false,
  variables: {},
  secrets: {},
  logLevel: "INFO",
  visibility: "private",
  allowedUsers: [],
  definition: {},
};

describe.each(Object.keys(DRIVERS))("backend %s", (name) => {
  let folder = "";
  let state: State;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sluice-backend-"));
    state = await openState({ driver: "sqlite", file: join(folder, "state.db") });
    await state.applyServices(SYSTEM_PRINCIPAL, [SERVICE], "create");
  });
  afterEach(async () => {
    await state.close();
    rmSync(folder, { recursive: true });
  });

  async function rig(act: Act): Promise<Rig> {
    return (DRIVERS[name] as Driver)(state, act);
  }

  async function leased(): Promise<LeasedJob> {
    const event = {
      id: "e",
      source: "http" as const,
      time: 0,
      object: null,
      rootId: "e",
      parentJobId: null,
      hops: 0,
      payload: "{}",
    };
    const job = await state.enqueue({
      by: SYSTEM_PRINCIPAL,
      service: "thumbs",
      event,
      body: null,
      runName: null,
      priority: 0,
    });
    const [lease] = await state.leaseJobs(
      [{ jobId: job.id, worker: name, grants: { resources: {}, devices: [] } }],
      Date.now(),
    );
    if (!lease) throw new Error("The job was not leased");
    return lease;
  }

  async function run(backend: Backend, lease: LeasedJob): Promise<void> {
    await new Promise<void>((resolve) => backend.start(lease, resolve));
  }

  it("names its workers", async () => {
    const { backend } = await rig({});
    expect(await backend.workers()).toEqual([{ name, ...worker }]);
  });

  it("publishes the outputs with the job's success, and says once that the attempt has ended", async () => {
    const { backend, discarded } = await rig({ outputs: ["a", "b"] });
    const lease = await leased();
    const ended = vi.fn();
    backend.start(lease, ended);
    expect(backend.running()).toEqual([lease.lease]);
    await expect.poll(() => ended).toHaveBeenCalledOnce();
    expect(backend.running()).toEqual([]);
    expect(await state.job(lease.job.id)).toMatchObject({ state: "SUCCEEDED", outputCount: 2 });
    expect((await state.jobOutputs(lease.job.id, 10)).map((object) => object.key)).toEqual(["out/a", "out/b"]);
    expect(discarded).toEqual([]);
    expect(ended).toHaveBeenCalledOnce();
  });

  it("fails the job of a script that exits with 7", async () => {
    const { backend } = await rig({ outcome: "exit" });
    const lease = await leased();
    await run(backend, lease);
    expect(await state.job(lease.job.id)).toMatchObject({ state: "FAILED", reason: "exit", exitCode: 7 });
  });

  it("ends a cancelled attempt; its job stays CANCELLED", async () => {
    const { backend } = await rig({ endless: true, outputs: ["a"] });
    const lease = await leased();
    const ended = vi.fn();
    backend.start(lease, ended);
    await expect.poll(async () => (await state.attempts(lease.job.id))[0]?.state).toBe("RUNNING");
    const { running } = await state.cancelJob(SYSTEM_PRINCIPAL, lease.job.id, Date.now());
    expect(running).toMatchObject({ jobId: lease.job.id, attempt: 1 });
    await backend.stop(lease.lease, "cancelled");
    await expect.poll(() => ended).toHaveBeenCalledOnce();
    expect(await state.job(lease.job.id)).toMatchObject({ state: "CANCELLED" });
    expect(await state.attempts(lease.job.id)).toMatchObject([{ state: "ENDED", outcome: "cancelled" }]);
    expect(await state.jobOutputs(lease.job.id, 10)).toEqual([]);
  });

  it("queues a stopped job again, uncounted", async () => {
    const { backend } = await rig({ endless: true });
    const lease = await leased();
    backend.start(lease, () => {});
    await expect.poll(async () => (await state.attempts(lease.job.id))[0]?.state).toBe("RUNNING");
    await backend.stop(lease.lease, "stopped");
    expect(await state.job(lease.job.id)).toMatchObject({
      state: "QUEUED",
      counts: { scriptFailures: 0, uncleanStops: 0 },
    });
  });

  it("publishes nothing for an attempt that another has taken over, and ends all the same", async () => {
    const { backend, discarded } = await rig({ outputs: ["late"], runMs: 200 });
    const first = await leased();
    const ended = vi.fn();
    backend.start(first, ended);
    await expect.poll(async () => (await state.attempts(first.job.id))[0]?.state).toBe("RUNNING");
    await state.recoverAttempts(name, Date.now());
    const grants = { resources: {}, devices: [] };
    const [second] = await state.leaseJobs([{ jobId: first.job.id, worker: name, grants }], Date.now());
    expect(second?.lease.attempt).toBe(2);
    await expect.poll(() => ended).toHaveBeenCalledOnce();
    expect(await state.job(first.job.id)).toMatchObject({ state: "RUNNING", attempt: 2 });
    expect(await state.jobOutputs(first.job.id, 10)).toEqual([]);
    // The state makes them garbage, as it alone knows whether a row names them.
    expect(await state.garbageBlobs(10)).toEqual([output("late").blob.blobId]);
    expect(discarded).toEqual([]);
  });

  it("stops what runs when it is closed", async () => {
    const { backend } = await rig({ endless: true });
    const lease = await leased();
    const ended = vi.fn();
    backend.start(lease, ended);
    await expect.poll(async () => (await state.attempts(lease.job.id))[0]?.state).toBe("RUNNING");
    await backend.close();
    expect(ended).toHaveBeenCalledOnce();
    expect(await state.job(lease.job.id)).toMatchObject({ state: "QUEUED" });
  });
});
