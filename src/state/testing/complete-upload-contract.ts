import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Completion } from "../object-calls.ts";
import { ADA, ADMIN, BEN, blob, output, StateBench, service } from "./state-bench.ts";
import { assemblyOf, PART_BYTES, UploadsBench } from "./uploads-bench.ts";

/** How multipart uploads become objects: what every driver must do. */
export function completeUploadContract(driver: string): void {
  let bench: StateBench;
  let uploads: UploadsBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    uploads = new UploadsBench(() => bench.state);
    await bench.state.createBucket(ADA, "box");
  });
  afterEach(() => bench.close());

  const find = (uploadId: string) => bench.state.multipartUpload("box", "a", uploadId);
  const unknown = { code: "UPLOAD_UNKNOWN" };
  /** An upload with two parts in its assembly. */
  async function filled(): Promise<string> {
    const uploadId = await uploads.create();
    for (const number of [1, 2]) await uploads.inAssembly(uploadId, number, { checksums: { crc32c: `c${number}` } });
    return uploadId;
  }
  const remove = () => bench.state.deleteObjects(ADA, "box", [{ key: "a" }], 1);

  describe("a completion", () => {
    it("makes an object of the assembly, with what the upload was begun with", async () => {
      const facts = { contentType: "image/png", metadata: { m: "1" }, headers: { expires: "0" }, tags: { t: "1" } };
      const uploadId = await uploads.create("a", facts);
      for (const number of [1, 2]) await uploads.inAssembly(uploadId, number, { checksums: { crc32c: `c${number}` } });
      const { object } = await uploads.complete(uploadId, { by: BEN, checksums: { crc32c: "x-2" } });
      expect(object).toEqual({
        ...{ bucket: "box", key: "a", versionSeq: 1, versionId: "null", isLatest: true, isDeleteMarker: false },
        ...{ sizeBytes: 2 * PART_BYTES, etag: "e-2", ...facts, checksums: { crc32c: "x-2" } },
        parts: [1, 2].map((number) => ({ sizeBytes: PART_BYTES, checksums: { crc32c: `c${number}` } })),
        ...{ lastModified: 9, owner: "ben", jobId: null },
      });
      await bench.reopen();
      const stored = await bench.state.object("box", "a");
      expect(stored).toMatchObject({ ...object, blob: { kind: "file", blobId: assemblyOf(uploadId) } });
      expect(Buffer.from(stored?.blockCrc32c ?? "").toString()).toBe("crc!");
      expect(await bench.garbage()).toEqual([]);
      const change = { bucket: "box", key: "a", versionSeq: 1, size: 2 * PART_BYTES, etag: "e-2", jobId: null };
      expect(await bench.changes("object")).toMatchObject([{ kind: "object.created", data: change }]);
    });

    it("lets the object alone hold the bytes", async () => {
      const uploadId = await filled();
      await uploads.complete(uploadId);
      await remove();
      expect(await bench.garbage()).toEqual([assemblyOf(uploadId)]);
    });

    it("leaves parts that were not named, and blobs of copied ones, as garbage", async () => {
      const uploadId = await filled();
      const own = [await uploads.own(uploadId, 3), await uploads.own(uploadId, 4)];
      const named = (await uploads.parts(uploadId)).slice(0, 3);
      const { object } = await uploads.complete(uploadId, { parts: named });
      expect(object.parts).toHaveLength(3);
      expect(await bench.garbage()).toEqual(own.toSorted());
    });

    it.each(["file", "inline"] as const)("of another blob leaves the assembly as garbage (%s)", async (how) => {
      const uploadId = await filled();
      const own = await uploads.own(uploadId, 3);
      const bytes = blob("0123456789bytes", how);
      await uploads.complete(uploadId, { bytes: { kind: "blob", blob: bytes } });
      const stored = await bench.state.object("box", "a");
      expect(stored).toMatchObject({ sizeBytes: 15, etag: "e-3", blob: { kind: how, blobId: bytes.blobId } });
      expect((await bench.garbage()).toSorted()).toEqual([own, assemblyOf(uploadId)].toSorted());
    });

    it("of an assembly that no part lies in is refused", async () => {
      const uploadId = await uploads.create();
      await uploads.own(uploadId, 1);
      await expect(uploads.complete(uploadId)).rejects.toMatchObject({ code: "INTERNAL" });
      expect(await uploads.parts(uploadId)).toHaveLength(1);
    });

    it("shows its parts with the object, and not in lists", async () => {
      await uploads.complete(await filled());
      const all = { bucket: "box", prefix: "", delimiter: "", limit: 9 };
      const { objects } = await bench.state.listObjects({ ...all, after: "" });
      const { versions } = await bench.state.listVersions({ ...all, afterKey: "", afterVersionId: null });
      expect([objects[0]?.parts, versions[0]?.parts]).toEqual([null, null]);
      expect((await bench.state.objectVersion("box", "a", "null"))?.parts).toHaveLength(2);
    });
  });

  describe("a completion that cannot be", () => {
    it("names a part that is not there or was replaced, and changes nothing", async () => {
      const uploadId = await filled();
      const parts = await uploads.parts(uploadId);
      const [first, second] = parts;
      if (first === undefined || second === undefined) throw new Error("there are no parts");
      for (const wrong of [
        [first, { ...second, number: 3 }],
        [{ ...first, md5: second.md5 }, second],
      ]) {
        await expect(uploads.complete(uploadId, { parts: wrong })).rejects.toMatchObject({ code: "PART_INVALID" });
      }
      await uploads.own(uploadId, 2, "file", "newer");
      await expect(uploads.complete(uploadId, { parts })).rejects.toMatchObject({ code: "PART_INVALID" });
      expect(await bench.keys("box")).toEqual([]);
      expect(await uploads.parts(uploadId)).toHaveLength(2);
      expect(await bench.changes("object")).toEqual([]);
      await uploads.complete(uploadId);
    });

    it("breaks its condition, and can be tried again", async () => {
      const uploadId = await filled();
      const { object } = await bench.put("box/a");
      for (const condition of [{ ifNoneMatch: "*" }, { ifMatch: "other" }]) {
        const refused = uploads.complete(uploadId, { condition });
        await expect(refused).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
      }
      expect(await bench.state.object("box", "a")).toMatchObject({ etag: object.etag });
      await uploads.complete(uploadId, { condition: { ifMatch: object.etag } });
    });

    it.each<[string, Partial<Completion>, string]>([
      ["another key", { key: "b" }, "UPLOAD_UNKNOWN"],
      ["another bucket", { bucket: "other" }, "UPLOAD_UNKNOWN"],
      ["no bucket", { bucket: "nowhere" }, "BUCKET_UNKNOWN"],
    ])("names %s", async (_what, over, code) => {
      await bench.state.createBucket(ADA, "other");
      const uploadId = await filled();
      await expect(uploads.complete(uploadId, over)).rejects.toMatchObject({ code });
      expect(await uploads.parts(uploadId)).toHaveLength(2);
    });

    it("names no upload, or an aborted one", async () => {
      await expect(uploads.complete("none", { parts: [] })).rejects.toMatchObject(unknown);
      const uploadId = await filled();
      const parts = await uploads.parts(uploadId);
      await bench.state.abortUpload("box", "a", uploadId);
      await expect(uploads.complete(uploadId, { parts })).rejects.toMatchObject(unknown);
      expect(await bench.keys("box")).toEqual([]);
    });
  });

  describe("a completed upload", () => {
    it("says what became of it, and is over", async () => {
      const uploadId = await filled();
      const parts = await uploads.parts(uploadId);
      const { object } = await uploads.complete(uploadId);
      await bench.reopen();
      expect(await find(uploadId)).toMatchObject({ assembly: null, completed: { ...object, parts: null } });
      await expect(uploads.complete(uploadId, { parts })).rejects.toMatchObject(unknown);
      await expect(uploads.own(uploadId, 3)).rejects.toMatchObject(unknown);
      await expect(uploads.parts(uploadId)).rejects.toMatchObject(unknown);
      expect(await bench.state.abortUpload("box", "a", uploadId)).toBe(false);
      expect(await bench.state.object("box", "a")).toMatchObject({ versionSeq: object.versionSeq });
      expect(await bench.garbage()).toEqual([]);
      await remove();
      await bench.state.deleteBucket(ADA, "box");
      expect(await find(uploadId)).toBeNull();
    });

    it("is forgotten when it is older than asked, a batch at a time", async () => {
      const ends = [10, 20, 20, 30];
      const done: string[] = [];
      for (const at of ends) {
        const uploadId = await filled();
        await uploads.complete(uploadId, { at });
        done.push(uploadId);
      }
      const open = await filled();
      const forget = (before: number, limit: number) => bench.state.forgetCompletedUploads(before, limit);
      expect(await forget(10, 100)).toBe(0);
      expect(await forget(30, 2)).toBe(2);
      expect(await forget(30, 2)).toBe(1);
      expect(await forget(30, 2)).toBe(0);
      const known = await Promise.all([...done, open].map(find));
      expect(known.map((upload) => upload !== null)).toEqual([false, false, false, true, true]);
      expect(await bench.state.object("box", "a")).toMatchObject({ lastModified: 30 });
    });

    it("was completed once, however many try, and never aborted too", async () => {
      for (let round = 0; round < 5; round++) {
        const uploadId = await filled();
        const parts = await uploads.parts(uploadId);
        const tries: Array<Promise<unknown>> = [];
        for (let n = 0; n < 4; n++) {
          if (n === round) tries.push(bench.state.abortUpload("box", "a", uploadId));
          else tries.push(uploads.complete(uploadId, { parts }));
        }
        const ends = await Promise.allSettled(tries);
        expect(ends.filter((end) => end.status === "fulfilled" && end.value !== false)).toHaveLength(1);
        for (const end of ends) if (end.status === "rejected") expect(end.reason).toMatchObject(unknown);
        expect((await find(uploadId)) === null).toBe(round === 0);
      }
    });
  });

  describe("the object of a completion", () => {
    it("takes the place of the one before, or stands before it in a bucket with versions", async () => {
      await bench.put("box/a");
      const first = await filled();
      await uploads.complete(first);
      expect(await bench.garbage()).toHaveLength(1);
      await bench.state.setVersioning(ADA, "box", "enabled");
      const { object } = await uploads.complete(await filled());
      expect(object.versionId).not.toBe("null");
      const older = await bench.state.objectVersion("box", "a", "null");
      expect(older).toMatchObject({ isLatest: false, blob: { blobId: assemblyOf(first) } });
      expect(await bench.garbage()).toHaveLength(1);
      expect(await bench.state.objectCount()).toBe(1);
    });

    it("starts jobs like any upload, which read the assembly", async () => {
      await bench.apply(service("s", "box"));
      const { jobIds, object } = await uploads.complete(await filled());
      expect(await bench.heads("s")).toEqual(jobIds);
      const { event, input } = await bench.lease(jobIds[0] ?? "");
      expect(event).toMatchObject({
        source: "object",
        hops: 0,
        object: { etag: "e-2", versionSeq: object.versionSeq },
      });
      expect(input).toMatchObject({ name: "a", sizeBytes: 2 * PART_BYTES, blob: { kind: "file" } });
      expect(Buffer.from(input?.blockCrc32c ?? "").toString()).toBe("crc!");
    });

    it("goes on with the chain of the job that began the upload", async () => {
      await bench.apply(service("s", "box"));
      const uploadId = await uploads.create("a", { lineage: { rootId: "r", parentJobId: "j", hops: 2 } });
      await uploads.inAssembly(uploadId, 1);
      const { jobIds, object } = await uploads.complete(uploadId);
      expect(object.jobId).toBe("j");
      const event = await bench.state.jobEvent(jobIds[0] ?? "");
      expect(event).toMatchObject({ rootId: "r", parentJobId: "j", hops: 3 });
    });

    it("comes after an output of its key that is published but waits to be settled", async () => {
      await bench.apply(service("s", "inbox", "box"));
      const uploadId = await filled();
      const { jobIds } = await bench.put("inbox/1");
      const { lease } = await bench.lease(jobIds[0] ?? "");
      await bench.state.stageOutputs(lease, [output("box/a"), output("box/b")]);
      await bench.finish(lease);
      const refused = uploads.complete(uploadId, { condition: { ifNoneMatch: "*" } });
      await expect(refused).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
      await uploads.complete(uploadId);
      await bench.settle();
      expect(await bench.state.object("box", "a")).toMatchObject({ etag: "e-2" });
      expect(await bench.keys("box")).toEqual(["a", "b"]);
    });

    it("can be copied, and keeps its ETag and parts", async () => {
      const { object: source } = await uploads.complete(await filled());
      const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
      const { object } = await bench.state.copyObject({ by: ADMIN, source, bucket: "box", key: "b", ...kept, at: 1 });
      expect(object).toMatchObject({ etag: "e-2", parts: source.parts, sizeBytes: 2 * PART_BYTES });
    });
  });
}
