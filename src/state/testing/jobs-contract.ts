import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_HOPS } from "../../core/file-event.ts";
import { MAX_INFRASTRUCTURE_ENDS, MAX_UNCLEAN_STOPS } from "../../core/job.ts";
import { ADMIN, blob, output, result, StateBench, service } from "./state-bench.ts";

/** Jobs, leases and attempts: what every driver must do. */
export function jobsContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
  });
  afterEach(() => bench.close());

  const jobState = async (id: string) => (await bench.state.job(id))?.state;
  const started = async (path: string, text = "text") => (await bench.put(path, text)).jobIds[0] ?? "";

  describe("a queue", () => {
    it("holds one job of each service that an upload matches, pinned to the revision of that moment", async () => {
      await bench.apply(service("a", "inbox/x"), service("b", "inbox"), service("c", "other"));
      const { jobIds, object } = await bench.put("inbox/x/1");
      const jobs = await Promise.all(jobIds.map((id) => bench.state.job(id)));
      expect(jobs.map((job) => job?.service).toSorted()).toEqual(["a", "b"]);
      expect(jobs[0]?.input).toEqual({ bucket: "inbox", key: "x/1", versionSeq: object.versionSeq });
      await bench.apply(service("a", "inbox/x", "", { script: "new\n" }));
      const ofA = jobs.find((job) => job?.service === "a")?.id ?? "";
      expect((await bench.lease(ofA)).revision.spec.script).toBe(":\n");
    });

    it("gives higher priorities first, then the oldest; and jobs of one key in the order of their events", async () => {
      await bench.apply(service("a", "inbox"));
      const [one, two] = [await started("inbox/same", "1"), await started("inbox/same", "2")];
      const other = await started("inbox/other");
      const urgent = (await bench.call("a", { priority: 5 })).id;
      expect(await bench.heads("a")).toEqual([urgent, one, other]);
      expect(await bench.leases([two])).toEqual([]);
      await bench.run(one);
      expect(await bench.heads("a")).toEqual([urgent, two, other]);
      const [queue] = await bench.state.queues(["a"], 1, Date.now());
      expect(queue).toMatchObject({ heads: [{ jobId: urgent }], queued: 3, active: 0 });
    });

    it("leases a job once, however many ask", async () => {
      await bench.apply(service("a"));
      const { id } = await bench.call("a");
      const all = await Promise.all(Array.from({ length: 20 }, (_, n) => bench.leases([id], `w${n}`)));
      expect(all.flat()).toHaveLength(1);
      expect(await bench.state.attempts(id)).toMatchObject([{ number: 1, state: "LEASED", startedAt: null }]);
    });
  });

  describe("an attempt", () => {
    it("that ends well publishes its outputs together with SUCCEEDED, and they start the next jobs", async () => {
      await bench.apply(service("a", "inbox", "mid"), service("b", "mid", "out"));
      const first = await started("inbox/1");
      const { lease } = await bench.lease(first);
      await bench.state.startAttempt(lease, Date.now());
      expect(await bench.keys("mid")).toEqual([]);
      const done = await bench.finish(lease, "ok", [output("mid/1"), output("mid/2")]);
      expect(done).toMatchObject({ job: { state: "SUCCEEDED", outputCount: 2 }, retryAt: null });
      expect(await bench.keys("mid")).toEqual(["1", "2"]);
      expect((await bench.state.jobOutputs(first, 10)).map(({ key }) => key)).toEqual(["1", "2"]);
      const next = await bench.state.job(done.startedJobIds[0] ?? "");
      const root = (await bench.state.job(first))?.rootEventId;
      expect(next).toMatchObject({ service: "b", hops: 1, parentJobId: first, rootEventId: root });
      const kinds = (await bench.changes()).map(({ kind }) => kind);
      expect(kinds.indexOf("object.created", 5)).toBeLessThan(kinds.indexOf("job.succeeded"));
    });

    it("that fails publishes nothing, is tried again after its backoff, and then fails the job", async () => {
      await bench.apply(service("a", "inbox", "out", { retries: { maxAttempts: 2, backoffMs: 60_000 } }));
      const id = await started("inbox/1");
      const lost = output("out/1");
      const { retryAt, job } = await bench.run(id, "exit", [lost]);
      expect(job.state).toBe("QUEUED");
      expect(await bench.garbage()).toEqual([lost.blob.blobId]);
      expect(await bench.leases([id], "w", (retryAt ?? 0) - 1)).toEqual([]);
      expect(await bench.state.queues(["a"], 8, (retryAt ?? 0) - 1)).toMatchObject([{ heads: [], nextAt: retryAt }]);
      expect(await bench.heads("a", retryAt ?? 0)).toEqual([id]);
      const [again] = await bench.leases([id], "w", retryAt ?? 0);
      expect(again?.lease.attempt).toBe(2);
      const end = await bench.finish(again?.lease ?? { jobId: id, attempt: 0, worker: "" }, "exit");
      expect(end).toMatchObject({ job: { state: "FAILED", reason: "exit", exitCode: 7 }, retryAt: null });
      expect(await bench.keys("out")).toEqual([]);
    });

    it.each([
      ["infrastructure", MAX_INFRASTRUCTURE_ENDS + 1],
      ["lost", MAX_INFRASTRUCTURE_ENDS + 1],
    ] as const)("that ends by %s is not held against the script, %i times", async (outcome, times) => {
      await bench.apply(service("a"));
      const { id } = await bench.call("a");
      for (let n = 1; n <= times; n++) {
        const [leased] = await bench.leases([id], "w", Date.now() + 3_600_000);
        if (leased === undefined) throw new Error("not leased");
        expect((await bench.finish(leased.lease, outcome)).job.state).toBe(n < times ? "QUEUED" : "FAILED");
      }
      expect(await bench.state.job(id)).toMatchObject({ reason: outcome, counts: { scriptFailures: 0 } });
    });

    it("of a server that died goes back to the queue; a job that was there ten times is poison", async () => {
      await bench.apply(service("a"));
      const { id } = await bench.call("a");
      for (let n = 1; n < MAX_UNCLEAN_STOPS; n++) {
        await bench.lease(id);
        expect(await bench.state.recoverAttempts("other", Date.now())).toBe(0);
        expect(await bench.state.recoverAttempts("w", Date.now())).toBe(1);
      }
      await bench.lease(id);
      expect(await bench.state.recoverAttempts("w", Date.now())).toBe(0);
      expect(await bench.state.job(id)).toMatchObject({ state: "FAILED", reason: "poison" });
    });

    it("that was superseded cannot start, stage or publish, and the log says so", async () => {
      await bench.apply(service("a", "inbox", "out"));
      const id = await started("inbox/1");
      const { lease: old } = await bench.lease(id);
      await bench.state.recoverAttempts("w", Date.now());
      const { lease } = await bench.lease(id);
      const late = [output("out/late"), output("out/late-too")];
      const stale = { code: "LEASE_STALE" };
      await expect(bench.state.startAttempt(old, Date.now())).rejects.toMatchObject(stale);
      await expect(bench.state.stageOutputs(old, late.slice(1))).rejects.toMatchObject(stale);
      await expect(bench.finish(old, "ok", late.slice(0, 1))).rejects.toMatchObject(stale);
      await expect(bench.finish({ ...lease, worker: "thief" })).rejects.toMatchObject(stale);
      expect((await bench.garbage()).toSorted()).toEqual(late.map((each) => each.blob.blobId).toSorted());
      expect((await bench.finish(lease, "ok", [output("out/right")])).job.state).toBe("SUCCEEDED");
      await expect(bench.finish(lease, "ok", [output("out/again")])).rejects.toMatchObject(stale);
      expect(await bench.keys("out")).toEqual(["right"]);
      expect((await bench.changes("attempt.fenced")).map(({ data }) => [data.attempt, data.newest])).toEqual([
        [1, 2],
        [1, 2],
        [1, 2],
        [2, 2],
        [2, 2],
      ]);
    });

    describe("that was taken for lost", () => {
      const lose = async () => {
        await bench.apply(
          service("a", "inbox", "out", { retries: { maxAttempts: 2, backoffMs: 60_000 } }),
          service("b", "out"),
        );
        const id = await started("inbox/1");
        const { lease } = await bench.lease(id);
        expect((await bench.finish(lease, "lost")).job).toMatchObject({
          state: "QUEUED",
          counts: { infrastructureEnds: 1 },
        });
        return { id, lease };
      };
      const active = async () => (await bench.state.queues(["a"], 8, Date.now()))[0]?.active;

      it("ends its job after all, once, while no newer attempt was leased", async () => {
        const { id, lease } = await lose();
        const done = await bench.finish(lease, "ok", [output("out/late")]);
        expect(done.job).toMatchObject({
          state: "SUCCEEDED",
          attempt: 1,
          outputCount: 1,
          counts: { infrastructureEnds: 0 },
        });
        expect(done.startedJobIds).toHaveLength(1);
        expect(await bench.keys("out")).toEqual(["late"]);
        expect(await bench.state.attempts(id)).toMatchObject([{ number: 1, state: "ENDED", outcome: "ok" }]);
        expect(await bench.leases([id], "w", Date.now() + 3_600_000)).toEqual([]);
        expect(await bench.state.queues(["a"], 8, Date.now())).toMatchObject([{ heads: [], queued: 0, active: 0 }]);
        await expect(bench.finish(lease, "ok", [output("out/again")])).rejects.toMatchObject({ code: "LEASE_STALE" });
        expect((await bench.changes("job.succeeded")).map(({ key }) => key)).toEqual([id]);
        expect(await bench.changes("attempt.fenced")).toHaveLength(1);
      });

      it("fails by its script, and the loss is not held against the job", async () => {
        const { id, lease } = await lose();
        const { job, retryAt } = await bench.finish(lease, "exit");
        expect(job).toMatchObject({
          state: "QUEUED",
          reason: "exit",
          counts: { scriptFailures: 1, infrastructureEnds: 0 },
        });
        expect(await active()).toBe(0);
        const [again] = await bench.leases([id], "w", retryAt ?? 0);
        expect(again?.lease.attempt).toBe(2);
        expect(await bench.finish(again?.lease ?? lease, "exit")).toMatchObject({
          job: { state: "FAILED", reason: "exit" },
        });
      });

      it.each(["lost", "stopped", "infrastructure", "cancelled"] as const)(
        "has nothing to say with %s",
        async (outcome) => {
          const { id, lease } = await lose();
          await expect(bench.finish(lease, outcome)).rejects.toMatchObject({ code: "LEASE_STALE" });
          await expect(bench.state.startAttempt(lease, Date.now())).rejects.toMatchObject({ code: "LEASE_STALE" });
          expect(await bench.state.job(id)).toMatchObject({ state: "QUEUED", counts: { infrastructureEnds: 1 } });
        },
      );

      it("is too late for a newer attempt, a cancelled job, and from another worker", async () => {
        const stale = { code: "LEASE_STALE" };
        const { id, lease } = await lose();
        await expect(bench.finish({ ...lease, worker: "thief" })).rejects.toMatchObject(stale);
        const [newer] = await bench.leases([id], "w2", Date.now() + 3_600_000);
        await expect(bench.finish(lease, "ok", [output("out/late")])).rejects.toMatchObject(stale);
        expect(await active()).toBe(1);
        expect((await bench.finish(newer?.lease ?? lease, "lost")).job.state).toBe("QUEUED");
        await expect(bench.finish(lease)).rejects.toMatchObject(stale);
        await bench.state.cancelJob(ADMIN, id, Date.now());
        await expect(bench.finish(newer?.lease ?? lease)).rejects.toMatchObject(stale);
        expect(await jobState(id)).toBe("CANCELLED");
        expect(await bench.keys("out")).toEqual([]);
      });

      it("publishes what it staged before and after its loss, through a restart", async () => {
        await bench.apply(service("a", "inbox", "out"));
        const { lease } = await bench.lease(await started("inbox/1"));
        await bench.state.stageOutputs(lease, [output("out/1")]);
        await bench.finish(lease, "lost");
        await bench.settle();
        await bench.reopen();
        await bench.state.stageOutputs(lease, [output("out/2")]);
        expect(await bench.keys("out")).toEqual([]);
        expect((await bench.finish(lease, "ok", [output("out/3")])).job.outputCount).toBe(3);
        await bench.settle();
        expect(await bench.keys("out")).toEqual(["1", "2", "3"]);
        expect(await bench.garbage()).toEqual([]);
      });

      it.each(["a newer lease", "a cancel", "the service's end"])("loses what it staged at %s", async (end) => {
        await bench.apply(service("a", "inbox", "out"));
        const id = await started("inbox/1");
        const { lease } = await bench.lease(id);
        const staged = output("out/1");
        await bench.state.stageOutputs(lease, [staged]);
        await bench.finish(lease, "lost");
        await bench.settle();
        expect(await bench.garbage()).toEqual([]);
        if (end === "a cancel") await bench.state.cancelJob(ADMIN, id, Date.now());
        else if (end === "a newer lease") await bench.leases([id], "w", Date.now() + 3_600_000);
        else await bench.state.removeService(ADMIN, "a", false);
        await bench.settle();
        expect(await bench.garbage()).toContain(staged.blob.blobId);
        expect(await bench.keys("out")).toEqual([]);
      });
    });

    it("has a token that writes in the job's name and dies with the lease", async () => {
      await bench.apply(service("a", "inbox"));
      const id = await started("inbox/1");
      const { lease, token } = await bench.lease(id);
      expect(await bench.state.tokenPrincipal(token)).toMatchObject({
        principal: { issuer: "job" },
        service: "a",
        lineage: { parentJobId: id, hops: 0 },
      });
      await bench.finish(lease);
      expect(await bench.state.tokenPrincipal(token)).toBeNull();
    });

    it("keeps a short log", async () => {
      await bench.apply(service("a"));
      const { id } = await bench.call("a");
      const { lease } = await bench.lease(id);
      await bench.state.finishAttempt(lease, result("ok"), [], Buffer.from("said"), Date.now());
      expect(Buffer.from((await bench.state.attemptLog(id, 1)) ?? "").toString()).toBe("said");
      expect(await bench.state.attemptLog(id, 2)).toBeNull();
    });
  });

  describe("a user", () => {
    it("cancels a queued job at once, and a running one whose attempt then ends without effect", async () => {
      await bench.apply(service("a", "inbox", "out"));
      const [queued, running] = [await started("inbox/1"), await started("inbox/2")];
      const { lease, token } = await bench.lease(running);
      expect(await bench.state.cancelJob(ADMIN, queued, Date.now())).toMatchObject({
        job: { state: "CANCELLED" },
        running: null,
      });
      expect((await bench.state.cancelJob(ADMIN, running, Date.now())).running).toEqual(lease);
      expect(await bench.state.tokenPrincipal(token)).toBeNull();
      expect(await bench.state.attempts(running)).toMatchObject([{ state: "STOPPING" }]);
      expect(await bench.state.queues(["a"], 8, Date.now())).toMatchObject([{ active: 1 }]);
      const deleted = bench.state.deleteJob(ADMIN, running);
      await expect(deleted).rejects.toMatchObject({ code: "JOB_STATE" });
      expect((await bench.finish(lease, "ok", [output("out/x")])).job.state).toBe("CANCELLED");
      expect(await bench.keys("out")).toEqual([]);
      expect(await bench.state.queues(["a"], 8, Date.now())).toMatchObject([{ active: 0 }]);
      const twice = bench.state.cancelJob(ADMIN, running, Date.now());
      await expect(twice).rejects.toMatchObject({ code: "JOB_STATE" });
    });

    it("retries an ended job on the same version and the current revision, while the version is there", async () => {
      await bench.apply(service("a", "inbox", "out"));
      const id = await started("inbox/1");
      await expect(bench.state.retryJob(ADMIN, id, Date.now())).rejects.toMatchObject({ code: "JOB_STATE" });
      await bench.run(id, "exit");
      await bench.apply(service("a", "inbox", "out", { script: "better\n" }));
      const again = await bench.state.retryJob(ADMIN, id, Date.now());
      const { input } = (await bench.state.job(id)) ?? {};
      expect(again).toMatchObject({ retryOf: id, state: "QUEUED", attempt: 0, input });
      await bench.put("inbox/1", "newer");
      expect((await bench.lease(again.id)).revision.spec.script).toBe("better\n");
      await bench.finish({ jobId: again.id, attempt: 1, worker: "w" });
      const gone = bench.state.retryJob(ADMIN, id, Date.now());
      await expect(gone).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    });

    it("retries a call with its body, which lives as long as any of its jobs", async () => {
      await bench.apply(service("a"));
      const body = blob("the body");
      const { id } = await bench.call("a", { body });
      await bench.run(id, "exit");
      expect(await bench.garbage()).toEqual([]);
      const again = await bench.state.retryJob(ADMIN, id, Date.now());
      const { lease, input } = await bench.lease(again.id);
      expect(input).toMatchObject({ sizeBytes: 8, blob: { kind: "file", blobId: body.blobId } });
      await bench.state.deleteJob(ADMIN, id);
      await bench.finish(lease);
      expect(await bench.garbage()).toEqual([]);
      expect(await bench.state.expireJobs(Date.now() + 1, 10)).toEqual([again.id]);
      expect(await bench.garbage()).toEqual([body.blobId]);
    });

    it("lists jobs newest first, filtered and page by page, and removes ended ones", async () => {
      await bench.apply(service("a"), service("b"));
      const ids: string[] = [];
      for (const name of ["a", "b", "a", "a"]) ids.unshift((await bench.call(name, { runName: `run-${name}` })).id);
      await bench.run(ids[3] ?? "", "exit");
      const list = async (over: object) =>
        (await bench.state.jobs({ owner: null, limit: 10, ...over })).jobs.map(({ id }) => ids.indexOf(id));
      expect(await list({})).toEqual([0, 1, 2, 3]);
      expect(await list({ service: "a", states: ["QUEUED"] })).toEqual([0, 1]);
      expect(await list({ runName: "run-b" })).toEqual([2]);
      expect(await list({ owner: "nobody" })).toEqual([]);
      expect(await list({ since: Date.now() + 1000 })).toEqual([]);
      const { next } = await bench.state.jobs({ owner: null, limit: 3 });
      expect(await list({ after: next ?? "" })).toEqual([3]);
      expect((await bench.state.counts()).find(({ service: of }) => of === "a")?.counts).toMatchObject({
        QUEUED: 2,
        FAILED: 1,
      });
      await expect(bench.state.deleteJob(ADMIN, ids[0] ?? "")).rejects.toMatchObject({ code: "JOB_STATE" });
      await bench.state.deleteJob(ADMIN, ids[3] ?? "");
      expect(await jobState(ids[3] ?? "")).toBeUndefined();
      await expect(bench.state.deleteJob(ADMIN, ids[3] ?? "")).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
      expect(await bench.state.expireJobs(Date.now() + 1, 10)).toEqual([]);
    });
  });

  it("an input is pinned until its job is terminal, though the object is replaced", async () => {
    await bench.apply(service("a", "inbox"));
    const pinned = blob("1");
    const { jobIds } = await bench.put("inbox/k", "", { blob: pinned });
    await bench.put("inbox/k", "2");
    expect(await bench.garbage()).toEqual([]);
    expect((await bench.lease(jobIds[0] ?? "")).input?.blob).toMatchObject({ blobId: pinned.blobId });
    await bench.finish({ jobId: jobIds[0] ?? "", attempt: 1, worker: "w" });
    expect(await bench.garbage()).toEqual([pinned.blobId]);
  });

  it("an event that came through too many jobs fails as a loop, without an attempt", async () => {
    await bench.apply(service("a", "inbox"));
    const lineage = { rootId: "r", parentJobId: "p", hops: MAX_HOPS };
    const { jobIds } = await bench.put("inbox/1", "", { lineage });
    expect(await bench.state.job(jobIds[0] ?? "")).toMatchObject({ state: "FAILED", reason: "loop", attempt: 0 });
    expect(await bench.heads("a")).toEqual([]);
  });
}
