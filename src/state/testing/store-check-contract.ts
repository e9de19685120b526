import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN, blob, output, StateBench, service } from "./state-bench.ts";
import { assemblyOf, UploadsBench } from "./uploads-bench.ts";

const ALL = 1000;

/** What checks of the store read, mend and remember. What an audit says of rows that contradict each other is the drivers' own test: no call
 *  makes such rows. */
export function storeCheckContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    await bench.state.createBucket(ADMIN, "box");
  });
  afterEach(() => bench.close());
  const rowOf = async (blobId: string): Promise<number> =>
    (await bench.state.blobPage(0, ALL)).find((kept) => kept.blobId === blobId)?.row ?? -1;
  const holdersOf = async (...blobIds: string[]) => {
    const rows = await Promise.all(blobIds.map(rowOf));
    return (await bench.state.auditStore(rows, ALL)).holders.map(({ row: _, ...holder }) => holder);
  };

  describe("pages of blobs", () => {
    it("come in order with all that is needed to verify bytes", async () => {
      const file = blob("in a file");
      const inline = blob("in its row", "inline");
      await bench.put("box/a", "", { blob: file });
      await bench.put("box/b", "", { blob: inline });
      const [first, ...rest] = await bench.state.blobPage(0, 1);
      expect(rest).toEqual([]);
      expect(first).toMatchObject({ blobId: file.blobId, sizeBytes: 9, md5: file.md5, blob: { kind: "file" } });
      const [second, ...none] = await bench.state.blobPage(first?.row ?? 0, 9);
      expect(none).toEqual([]);
      expect(second?.blob).toMatchObject({ kind: "inline" });
      expect(second?.blob.kind === "inline" && Buffer.from(second.blob.bytes).toString()).toBe("in its row");
      expect(Buffer.from(second?.blockCrc32c ?? [])).toEqual(Buffer.from(inline.blockCrc32c));
      expect(await bench.state.blobPage(second?.row ?? 0, 9)).toEqual([]);
    });

    it("show what is being uploaded in parts as a file of size 0", async () => {
      const uploads = new UploadsBench(() => bench.state);
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      const [kept] = await bench.state.blobPage(0, ALL);
      expect(kept).toMatchObject({ blobId: assemblyOf(uploadId), sizeBytes: 0, blob: { kind: "file" } });
    });
  });

  describe("an audit", () => {
    it("counts, and finds nothing wrong where nothing is", async () => {
      await bench.apply(service("a", "inbox", "out"));
      const [job = ""] = (await bench.put("inbox/x", "four")).jobIds;
      await bench.put("box/b", "inline", { blob: blob("five5", "inline") });
      await bench.run(job, "ok", [output("out/1", "three")]);
      const uploads = new UploadsBench(() => bench.state);
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      await uploads.own(uploadId, 2);
      expect(await bench.state.auditStore([], ALL)).toEqual({
        ...{ blobs: 5, bytes: 4 + 5 + 5 + 0 + 5, references: [], holders: [], lost: [], twins: [] },
      });
    });

    it("names every holder of the blobs that it is asked for, and no other", async () => {
      const bytes = blob("shared");
      await bench.put("box/a", "", { blob: bytes });
      await bench.put("box/other");
      const source = { bucket: "box", key: "a", versionSeq: (await bench.state.object("box", "a"))?.versionSeq ?? 0 };
      const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
      await bench.state.setVersioning(ADMIN, "box", "enabled");
      await bench.state.copyObject({ by: ADMIN, source, bucket: "box", key: "copy", ...kept, at: 1 });
      await bench.put("box/a", "newer");
      const plain = { holder: "object", bucket: "box", id: null };
      expect(await holdersOf(bytes.blobId)).toEqual([
        { ...plain, key: "a", versionId: "null", isLatest: false },
        { ...plain, key: "copy", versionId: (await bench.state.object("box", "copy"))?.versionId, isLatest: true },
      ]);
    });

    it("names jobs, uploads and outputs that are not settled", async () => {
      await bench.apply(service("a", "inbox", "out"));
      const input = blob("body");
      const job = await bench.call("a", { body: input });
      const outputs = [output("out/1"), output("out/2")];
      const { lease } = await bench.lease(job.id);
      await bench.state.stageOutputs(lease, outputs);
      const uploads = new UploadsBench(() => bench.state);
      const uploadId = await uploads.create("up");
      await uploads.inAssembly(uploadId, 1);
      const own = await uploads.own(uploadId, 2);
      const none = { versionId: null, isLatest: false };
      expect(await holdersOf(input.blobId)).toEqual([{ holder: "job", bucket: null, key: null, id: job.id, ...none }]);
      expect(await holdersOf(outputs[1]?.blob.blobId ?? "")).toEqual([
        { holder: "output", bucket: "out", key: "2", id: job.id, ...none },
      ]);
      const upload = { holder: "upload", bucket: "box", key: "up", id: uploadId, ...none };
      expect(await holdersOf(assemblyOf(uploadId), own)).toEqual([upload, upload]);
    });

    it("finds twins: other blobs of the same size and MD5", async () => {
      const [one, two, other] = [blob("same"), blob("same", "inline"), blob("else")];
      for (const each of [one, two, other]) await bench.put(`box/${each.blobId}`, "", { blob: each });
      const [row, twin] = [await rowOf(one.blobId), await rowOf(two.blobId)];
      expect((await bench.state.auditStore([row], ALL)).twins).toEqual([{ row, twin }]);
    });

    it("does not ask others to wait, ends its lists, and ends with the state", async () => {
      const bytes = blob("x");
      await bench.put("box/a", "", { blob: bytes });
      const source = { bucket: "box", key: "a", versionSeq: (await bench.state.object("box", "a"))?.versionSeq ?? 0 };
      const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
      await bench.state.copyObject({ by: ADMIN, source, bucket: "box", key: "b", ...kept, at: 1 });
      const [{ holders }] = await Promise.all([
        bench.state.auditStore([await rowOf(bytes.blobId)], 1),
        bench.put("box/meanwhile"),
      ]);
      expect(holders).toHaveLength(1);
      const late = bench.state.auditStore([], ALL);
      late.catch(() => undefined);
      await bench.reopen();
      await expect(late).rejects.toMatchObject({ code: "STOPPING" });
    });
  });

  it("a recount leaves right counts alone", async () => {
    const bytes = blob("x");
    await bench.put("box/a", "", { blob: bytes });
    expect(await bench.state.recountBlobs([await rowOf(bytes.blobId), 999])).toBe(0);
    expect(await bench.garbage()).toEqual([]);
  });

  it("bytes in a row are replaced, those in files are not", async () => {
    const [inline, file] = [blob("abc", "inline"), blob("abc")];
    for (const each of [inline, file]) await bench.put(`box/${each.blobId}`, "", { blob: each });
    expect(await bench.state.replaceInline(await rowOf(inline.blobId), Buffer.from("xyz"))).toBe(true);
    expect(await bench.state.replaceInline(await rowOf(file.blobId), Buffer.from("xyz"))).toBe(false);
    expect(await bench.state.replaceInline(999, Buffer.from("xyz"))).toBe(false);
    const object = await bench.state.object("box", inline.blobId);
    expect(object?.blob.kind === "inline" && Buffer.from(object.blob.bytes).toString()).toBe("xyz");
    expect((await bench.state.object("box", file.blobId))?.blob.kind).toBe("file");
  });

  describe("what is remembered", () => {
    it("is how far a round is, over a restart", async () => {
      expect(await bench.state.scrubProgress()).toBeNull();
      for (const progress of [
        { after: 7, startedAt: 5, endedAt: null },
        { after: 0, startedAt: 5, endedAt: 9 },
      ]) {
        await bench.state.saveScrub(progress);
        await bench.reopen();
        expect(await bench.state.scrubProgress()).toEqual(progress);
      }
    });

    it("is what is damaged, until it is found sound or gone", async () => {
      const [one, two, three] = [blob("1"), blob("2"), blob("3")];
      for (const each of [one, two, three]) await bench.put(`box/${each.blobId}`, "", { blob: each });
      const [a, b, c] = [await rowOf(one.blobId), await rowOf(two.blobId), await rowOf(three.blobId)];
      const damage = (row: number) => ({ row, damage: "bytes" as const });
      await bench.state.noteDamage(0, c, [damage(a), damage(b), damage(c)], 1);
      await bench.reopen();
      expect(await bench.state.damagedCount()).toBe(3);
      expect(await bench.state.damagedBlobs(1)).toEqual([{ ...damage(a), blobId: one.blobId }]);
      await bench.state.noteDamage(a, b, [], 2);
      await bench.state.deleteObjects(ADMIN, "box", [{ key: three.blobId }], 3);
      expect(await bench.state.damagedBlobs(9)).toEqual([{ ...damage(a), blobId: one.blobId }]);
      expect(await bench.state.damagedCount()).toBe(1);
    });
  });
}
