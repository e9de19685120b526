import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADA, ADMIN, BEN, blob, entry, StateBench, service } from "./state-bench.ts";

/** Services, buckets, objects, their bytes and the change log: what every driver must do. */
export function objectsContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
  });
  afterEach(() => bench.close());

  describe("services", () => {
    it("are created with their buckets, updated, and left alone when nothing changed", async () => {
      expect(await bench.apply(service("a", "inbox/x", "out"))).toEqual([{ name: "a", result: "created" }]);
      const first = await bench.state.service("a");
      expect(await bench.apply(service("a", "inbox/x", "out"))).toEqual([{ name: "a", result: "unchanged" }]);
      expect(await bench.apply(service("a", "inbox/x", "out", { script: "true\n" }))).toMatchObject([
        { result: "updated" },
      ]);
      const second = await bench.state.service("a");
      expect(second?.token).toBe(first?.token);
      expect(second?.revision.id).not.toBe(first?.revision.id);
      expect((await bench.state.buckets(null)).map(({ name }) => name)).toEqual(["inbox", "out"]);
    });

    it("are applied all or none", async () => {
      await bench.state.applyServices(BEN, [service("taken")], "apply");
      const both = [service("fresh", "fresh-in"), service("taken", "", "x")];
      await expect(bench.state.applyServices(ADA, both, "apply")).rejects.toMatchObject({ code: "FORBIDDEN" });
      expect(await bench.state.service("fresh")).toBeNull();
      expect(await bench.state.bucket("fresh-in")).toBeNull();
      expect((await bench.state.service("taken"))?.owner).toBe("ben");
      expect((await bench.state.services("ben")).map(({ name }) => name)).toEqual(["taken"]);
      expect(await bench.state.services("ada")).toEqual([]);
    });

    it("say when a name is taken or missing", async () => {
      await bench.apply(service("a"));
      const as = (name: string, mode: "create" | "update") => bench.state.applyServices(ADMIN, [service(name)], mode);
      await expect(as("a", "create")).rejects.toMatchObject({ code: "SERVICE_EXISTS" });
      await expect(as("b", "update")).rejects.toMatchObject({ code: "SERVICE_UNKNOWN" });
      await expect(bench.state.removeService(ADMIN, "b", false)).rejects.toMatchObject({ code: "SERVICE_UNKNOWN" });
      await expect(bench.call("b")).rejects.toMatchObject({ code: "SERVICE_UNKNOWN" });
    });

    it("that go cancel what is queued, let run what runs, and keep objects unless told", async () => {
      await bench.apply(service("a", "inbox/x"), service("b", "shared/x", "own"), service("c", "shared/y"));
      const jobs = await Promise.all(["1", "2"].map(async (n) => (await bench.put(`inbox/x/${n}`)).jobIds[0] ?? ""));
      const { lease, revision } = await bench.lease(jobs[0] ?? "");
      await bench.state.removeService(ADMIN, "a", false);
      expect((await bench.state.job(jobs[1] ?? ""))?.state).toBe("CANCELLED");
      expect(revision.spec.name).toBe("a");
      expect((await bench.finish(lease)).job.state).toBe("SUCCEEDED");
      expect(await bench.keys("inbox")).toEqual(["x/1", "x/2"]);
      await bench.put("own/z");
      await bench.put("shared/z");
      await bench.state.removeService(ADMIN, "b", true);
      expect(await bench.state.bucket("own")).toBeNull();
      expect(await bench.keys("shared")).toEqual(["z"]);
    });

    it("with very many jobs and objects go in steps, and nothing of them is leased or read meanwhile", async () => {
      await bench.apply(service("a", "", "big"));
      const calls = await Promise.all(Array.from({ length: 700 }, () => bench.call("a")));
      await Promise.all(Array.from({ length: 700 }, (_, n) => bench.put(`big/${n}`)));
      await bench.state.removeService(ADMIN, "a", true);
      expect(await bench.leases(calls.map(({ id }) => id))).toEqual([]);
      expect(await bench.state.object("big", "699")).toBeNull();
      await bench.settle();
      expect(await bench.changes("job.cancelled")).toHaveLength(700);
      expect(await bench.changes("object.removed")).toHaveLength(700);
      expect(new Set(await bench.garbage()).size).toBe(700);
    });

    it("have a token that stands for them, and keep secrets out of the change log", async () => {
      await bench.apply(service("a", "", "", { secrets: { KEY: "open sesame" }, variables: { V: "plain" } }));
      const token = (await bench.state.service("a"))?.token ?? "";
      expect(await bench.state.tokenPrincipal(token)).toMatchObject({ service: "a", lineage: null });
      expect(await bench.state.tokenPrincipal("0".repeat(64))).toBeNull();
      expect(JSON.stringify(await bench.changes())).not.toMatch(/open sesame|plain/);
      expect(JSON.stringify(await bench.changes())).not.toContain(token);
    });
  });

  describe("buckets", () => {
    it("have one owner, a valid name, and go only when they are empty", async () => {
      await bench.state.createBucket(ADA, "photos");
      const again = (name: string) => bench.state.createBucket(BEN, name);
      await expect(again("photos")).rejects.toMatchObject({ code: "BUCKET_EXISTS" });
      await expect(again("..")).rejects.toMatchObject({ code: "BUCKET_NAME_INVALID" });
      expect(await bench.state.buckets("ben")).toEqual([]);
      await bench.put("photos/a");
      const remove = () => bench.state.deleteBucket(ADA, "photos");
      await expect(remove()).rejects.toMatchObject({ code: "BUCKET_NOT_EMPTY" });
      await bench.state.deleteObjects(ADA, "photos", [{ key: "a" }], Date.now());
      await remove();
      await expect(remove()).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
      await expect(bench.put("photos/a")).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    });
  });

  describe("objects", () => {
    /** In the order of their UTF-8 bytes: the last two are the other way round as JavaScript strings. */
    const KEYS = ["!", "../up", "./here", "/lead", "a", "a//b", "a/b", "a/b/", "ä", "\uffee", "😀"];
    beforeEach(() => bench.state.createBucket(ADMIN, "box"));

    it("keep any key byte for byte, in the order of its bytes", async () => {
      for (const key of KEYS.toReversed()) await bench.put(`box/${key}`, key);
      expect(await bench.keys("box")).toEqual(KEYS);
      expect(await bench.keys("box", "a/")).toEqual(["a//b", "a/b", "a/b/"]);
      expect(await bench.state.object("box", "a//b")).toMatchObject({ key: "a//b", sizeBytes: 4 });
      expect(await bench.state.object("box", "a/B")).toBeNull();
      expect(await bench.state.objectCount()).toBe(KEYS.length);
    });

    it.each([
      ["with a NUL", "nul\0"],
      ["over 1,024 bytes", "x".repeat(1025)],
      ["that is empty", ""],
    ])("refuse a key %s", async (_, key) => {
      await expect(bench.put(`box/${key}`)).rejects.toMatchObject({ code: "KEY_INVALID" });
    });

    it("are listed page by page, with folders folded", async () => {
      for (const key of ["a/1", "a/2", "b", "c/1", "d"]) await bench.put(`box/${key}`);
      const pages: unknown[] = [];
      let after: string | null = "";
      while (after !== null) {
        const page = await bench.state.listObjects({ bucket: "box", prefix: "", after, delimiter: "/", limit: 2 });
        pages.push([page.objects.map(({ key }) => key), page.commonPrefixes]);
        after = page.next;
      }
      expect(pages).toEqual([
        [["b"], ["a/"]],
        [["d"], ["c/"]],
      ]);
    });

    it("have versions that grow, and the bytes of the one before are garbage", async () => {
      const first = blob("1");
      const before = (await bench.put("box/a", "", { blob: first })).object;
      const after = (await bench.put("box/a", "2")).object;
      expect(after.versionSeq).toBeGreaterThan(before.versionSeq);
      expect(await bench.state.object("box", "a", before.versionSeq)).toBeNull();
      expect(await bench.garbage()).toEqual([first.blobId]);
      expect(await bench.state.unknownBlobs([first.blobId, "f".repeat(32)])).toEqual(["f".repeat(32)]);
      await bench.state.forgetBlobs([first.blobId]);
      expect(await bench.garbage()).toEqual([]);
      const release = bench.state.holdBlobs();
      await bench.state.deleteObjects(ADMIN, "box", [{ key: "a" }], Date.now());
      expect(await bench.garbage()).toEqual([]);
      release();
      expect(await bench.garbage()).toHaveLength(1);
    });

    it("answer conditions inside the transaction: of many that ask for a new key one wins", async () => {
      const condition = { ifNoneMatch: "*" };
      const all = await Promise.allSettled(
        Array.from({ length: 30 }, (_, n) => bench.put("box/a", `${n}`, { condition })),
      );
      expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const one of all)
        if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "PRECONDITION_FAILED" });
      const { etag = "" } = (await bench.state.object("box", "a")) ?? {};
      await bench.put("box/a", "new", { condition: { ifMatch: `"${etag}"` } });
      const stale = bench.put("box/a", "late", { condition: { ifMatch: etag } });
      await expect(stale).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
      const nowhere = bench.put("box/none", "late", { condition: { ifMatch: etag } });
      await expect(nowhere).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
      expect(await bench.changes("object.created")).toHaveLength(2);
    });

    it("are removed by key, absent ones without complaint", async () => {
      await bench.put("box/a");
      const targets = [{ key: "a" }, { key: "none" }];
      const deleted = await bench.state.deleteObjects(ADMIN, "box", targets, Date.now());
      expect(deleted.map(({ existed }) => existed)).toEqual([true, false]);
      expect(await bench.changes("object.removed")).toMatchObject([{ key: "box/a" }]);
    });
  });

  describe("the change log", () => {
    it("numbers every commit without a gap, for its owner, and tells after it is durable", async () => {
      const seen: number[] = [];
      const stop = bench.state.subscribe(({ lastSeq }) => void seen.push(lastSeq));
      await bench.state.createBucket(ADA, "of-ada");
      await bench.state.createBucket(BEN, "of-ben");
      await Promise.all(Array.from({ length: 50 }, (_, n) => bench.put(`of-ada/${n}`)));
      stop();
      await bench.put("of-ben/late");
      const all = await bench.changes();
      expect(all).toHaveLength(53);
      expect(seen.at(-1)).toBe(all.at(-1)?.seq === undefined ? 0 : (all.at(-1)?.seq ?? 0) - 1);
      expect(await bench.state.changes(0, 1000, "ben")).toHaveLength(2);
      expect(await bench.state.changeBounds()).toEqual({ first: all[0]?.seq, last: all.at(-1)?.seq });
    });

    it("takes news of pulls, which nothing else in the database tells of", async () => {
      const data = { digest: "sha256:0", layers: 2 };
      const change = { kind: "image.pulling", owner: "ada", key: "lab/tool:1", sequencer: 1, data } as const;
      await bench.state.noteImage(change, 5);
      expect(await bench.changes("image.pulling")).toEqual([{ ...change, seq: expect.any(Number), at: 5 }]);
    });

    it("loses its oldest part, and never a number", async () => {
      await bench.state.createBucket(ADMIN, "box");
      for (let n = 0; n < 5; n++) await bench.put(`box/${n}`);
      const { last } = await bench.state.changeBounds();
      expect(await bench.state.expireChanges(Date.now() + 1, 4)).toBe(4);
      expect(await bench.state.expireChanges(0, 4)).toBe(0);
      await bench.state.expireChanges(Date.now() + 1, 100);
      expect(await bench.state.changeBounds()).toEqual({ first: 0, last: 0 });
      await bench.reopen();
      await bench.put("box/x");
      expect(await bench.state.changeBounds()).toEqual({ first: last + 1, last: last + 1 });
    });
  });

  it("finds all of it again after a restart", async () => {
    await bench.apply(service("a", "inbox", "out", { inputs: [entry("inbox", { suffixes: [".txt"] })] }));
    const { jobIds } = await bench.put("inbox/a.txt", "", {
      blob: blob("inline bytes", "inline"),
      metadata: { m: "1" },
    });
    await bench.reopen();
    expect(await bench.heads("a")).toEqual(jobIds);
    expect(await bench.state.object("inbox", "a.txt")).toMatchObject({
      metadata: { m: "1" },
      blob: { kind: "inline" },
    });
    const { input } = await bench.lease(jobIds[0] ?? "");
    expect(input).toMatchObject({ name: "a.txt", sizeBytes: 12, blockCrc32c: new Uint8Array(4) });
    expect(Buffer.from(input?.blob.kind === "inline" ? input.blob.bytes : "").toString()).toBe("inline bytes");
    expect((await bench.put("inbox/b.jpg")).jobIds).toEqual([]);
  });
}
