import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN, output, StateBench, service } from "./state-bench.ts";

/** Outputs under keys of others, and finishes with very many outputs: what every driver must do. */
export function publishingContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
  });
  afterEach(() => bench.close());

  describe("outputs under a key that another job used", () => {
    async function twoJobs(onConflict: "overwrite" | "rename" | "fail", outputs: number) {
      await bench.apply(service("a", "", "out", { onConflict }));
      const ends = [];
      for (let job = 0; job < 2; job++) {
        const { id } = await bench.call("a");
        const named = Array.from({ length: outputs }, (_, n) => output(`out/${n}.txt`, `of job ${job}`));
        ends.push((await bench.run(id, "ok", named)).job);
        await bench.settle();
      }
      return ends;
    }

    describe.each([[1], [1500]])("%i each", (outputs) => {
      it("replace them and are counted", async () => {
        const [, second] = await twoJobs("overwrite", outputs);
        expect(second).toMatchObject({ state: "SUCCEEDED", replacedOutputs: outputs });
        expect(await bench.keys("out")).toHaveLength(outputs);
        expect((await bench.state.object("out", "0.txt"))?.jobId).toBe(second?.id);
      });

      it("are renamed", async () => {
        const [first, second] = await twoJobs("rename", outputs);
        expect(second).toMatchObject({ state: "SUCCEEDED", replacedOutputs: 0 });
        expect(await bench.keys("out")).toHaveLength(2 * outputs);
        expect((await bench.state.object("out", "0.txt"))?.jobId).toBe(first?.id);
        expect((await bench.state.object("out", `0-${second?.id}.txt`))?.jobId).toBe(second?.id);
      });

      it("fail their job, and nothing of it is published", async () => {
        const [first, second] = await twoJobs("fail", outputs);
        expect(second).toMatchObject({ state: "FAILED", reason: "output_conflict", outputCount: 0 });
        expect(second?.message).toContain(`output of job ${first?.id}`);
        expect(await bench.keys("out")).toHaveLength(outputs);
        expect(await bench.garbage()).toHaveLength(outputs);
      });
    });

    it("may replace what no job made, and what an earlier try of the same job made", async () => {
      await bench.apply(service("a", "inbox", "out", { onConflict: "fail" }));
      await bench.put("out/x", "by a user");
      const { jobIds } = await bench.put("inbox/1");
      await bench.run(jobIds[0] ?? "", "ok", [output("out/x")]);
      const again = await bench.state.retryJob(ADMIN, jobIds[0] ?? "", Date.now());
      expect((await bench.run(again.id, "ok", [output("out/x")])).job.state).toBe("SUCCEEDED");
    });

    it("into a bucket that is gone fail the job", async () => {
      await bench.apply(service("a", "", "out"));
      const { id } = await bench.call("a");
      const { job } = await bench.run(id, "ok", [output("gone/x")]);
      expect(job).toMatchObject({ state: "FAILED", reason: "output_invalid" });
    });
  });

  describe("a finish with 2,500 outputs", () => {
    const many = () => Array.from({ length: 2500 }, (_, n) => output(`mid/${String(n).padStart(4, "0")}`));
    const apply = () => bench.apply(service("a", "inbox", "mid"), service("b", "mid"));
    const start = async () => (await bench.put("inbox/1")).jobIds[0] ?? "";

    it("makes them visible at once, and each an object and a job once, through restarts", async () => {
      await apply();
      const { lease } = await bench.lease(await start());
      const outputs = many();
      await bench.state.stageOutputs(lease, outputs.slice(0, 1000));
      expect(await bench.keys("mid")).toEqual([]);
      await bench.reopen();
      const { job } = await bench.finish(lease, "ok", outputs.slice(1000));
      expect(job).toMatchObject({ state: "SUCCEEDED", outputCount: 2500 });
      const keys = outputs.map(({ key }) => key);
      expect(await bench.keys("mid")).toEqual(keys);
      expect(await bench.state.object("mid", "2499")).toMatchObject({ jobId: job.id });
      for (let more = true; more; await bench.reopen()) {
        more = await bench.state.continueFanOut(700);
        expect(await bench.keys("mid")).toEqual(keys);
      }
      const made = (await bench.changes("object.created")).filter(({ key }) => key.startsWith("mid/"));
      expect(made.map(({ key }) => key.slice(4)).toSorted()).toEqual(keys);
      const queued = (await bench.changes("job.queued")).filter(({ data }) => data.service === "b");
      expect(new Set(queued.map(({ data }) => data.key)).size).toBe(2500);
      expect(queued).toHaveLength(2500);
    });

    it("orders an upload that comes right after it behind it, and one that came before it in front", async () => {
      await apply();
      const { lease } = await bench.lease(await start());
      const outputs = many();
      await bench.state.stageOutputs(lease, outputs.slice(0, 1000));
      await bench.put("mid/0000", "before the finish");
      await bench.finish(lease, "ok", outputs.slice(1000));
      expect((await bench.state.object("mid", "0000"))?.jobId).toBe(lease.jobId);
      const { object } = await bench.put("mid/0001", "after the finish");
      await bench.settle();
      expect((await bench.state.object("mid", "0000"))?.jobId).toBe(lease.jobId);
      expect((await bench.state.object("mid", "0001"))?.versionSeq).toBe(object.versionSeq);
      const versions = (await bench.changes("object.created"))
        .filter(({ key }) => key === "mid/0001")
        .map(({ data }) => data.jobId);
      expect(versions).toEqual([lease.jobId, null]);
    });

    it.each(["exit", "superseded"])("leaves nothing when its attempt ends by %s", async (end) => {
      await apply();
      const id = await start();
      const { lease } = await bench.lease(id);
      const outputs = many();
      await bench.state.stageOutputs(lease, outputs.slice(0, 1000));
      await bench.state.stageOutputs(lease, outputs.slice(1000, 2000));
      if (end === "exit") await bench.finish(lease, "exit", outputs.slice(2000));
      else {
        await bench.state.recoverAttempts("w", Date.now());
        await expect(bench.finish(lease, "ok", outputs.slice(2000))).rejects.toMatchObject({ code: "LEASE_STALE" });
      }
      await bench.settle();
      expect(await bench.keys("mid")).toEqual([]);
      expect(new Set(await bench.garbage())).toEqual(new Set(outputs.map(({ blob }) => blob.blobId)));
    });
  });
}
