import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADA, ADMIN, BEN, blob, StateBench, service } from "./state-bench.ts";
import { assemblyOf, PART_BYTES, UploadsBench } from "./uploads-bench.ts";

/** Multipart uploads and their parts until they end: what every driver must do. */
export function uploadsContract(driver: string): void {
  let bench: StateBench;
  let uploads: UploadsBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    uploads = new UploadsBench(() => bench.state);
    await bench.state.createBucket(ADA, "box");
  });
  afterEach(() => bench.close());

  const find = (uploadId: string, key = "a", bucket = "box") => bench.state.multipartUpload(bucket, key, uploadId);
  const unknown = { code: "UPLOAD_UNKNOWN" };

  describe("an upload", () => {
    it("keeps what it was begun with, over a restart too", async () => {
      const facts = {
        ...{ contentType: "image/png", metadata: { m: "ü" }, headers: { expires: "0" }, tags: { t: "1" } },
        ...{ checksum: { algorithm: "crc32c", type: "FULL_OBJECT" as const } },
        ...{ lineage: { rootId: "r", parentJobId: "j", hops: 3 } },
      };
      const uploadId = await uploads.create("a/ü", { ...facts, by: BEN });
      const kept = { uploadId, bucket: "box", key: "a/ü", ...facts, owner: "ben", initiatedAt: 7 };
      await bench.reopen();
      expect(await find(uploadId, "a/ü")).toEqual({ ...kept, assembly: null, completed: null });
    });

    it("is no object and no event", async () => {
      await bench.apply(service("s", "box"));
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      expect(await bench.keys("box")).toEqual([]);
      expect(await bench.state.object("box", "a")).toBeNull();
      expect(await bench.changes("object")).toEqual([]);
      expect(await bench.heads("s")).toEqual([]);
      expect(await bench.state.objectCount()).toBe(0);
    });

    it("is found by its id, key and bucket together", async () => {
      await bench.state.createBucket(ADA, "other");
      const uploadId = await uploads.create();
      for (const [id, key, bucket] of [
        ["none", "a", "box"],
        [uploadId, "b", "box"],
        [uploadId, "a", "other"],
        [uploadId, "a", "nowhere"],
      ] as const) {
        expect(await find(id, key, bucket)).toBeNull();
        expect(await bench.state.abortUpload(bucket, key, id)).toBe(false);
      }
      expect(await find(uploadId)).not.toBeNull();
    });

    it("needs a bucket and a key", async () => {
      await expect(uploads.create("a", { bucket: "nowhere" })).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
      await expect(uploads.create("")).rejects.toMatchObject({ code: expect.not.stringContaining("INTERNAL") });
    });

    it("may share its key with others", async () => {
      const [one, two] = [await uploads.create(), await uploads.create()];
      await uploads.own(one, 1);
      expect(await uploads.parts(two)).toEqual([]);
      await bench.state.abortUpload("box", "a", one);
      expect(await find(two)).not.toBeNull();
    });
  });

  describe("a part", () => {
    it("gives the upload its assembly, whose file is known from then on", async () => {
      const uploadId = await uploads.create();
      const file = assemblyOf(uploadId);
      expect(await bench.state.unknownBlobs([file])).toEqual([file]);
      await uploads.inAssembly(uploadId, 2);
      await uploads.inAssembly(uploadId, 1, { checksums: { sha1: "s" } });
      await bench.reopen();
      expect(await bench.state.unknownBlobs([file])).toEqual([]);
      expect(await find(uploadId)).toMatchObject({ assembly: { blobId: file, partBytes: PART_BYTES } });
      const [first, second] = await uploads.parts(uploadId);
      expect(first).toMatchObject({ number: 1, sizeBytes: PART_BYTES, checksums: { sha1: "s" }, lastModified: 8 });
      expect(Buffer.from(first?.pieceCrc32c ?? "").toString()).toBe("crc!");
      expect(second).toMatchObject({ number: 2, md5: blob("part 2").md5, checksums: {}, blob: null });
      expect(await bench.garbage()).toEqual([]);
    });

    it("in another assembly than the upload's, or with other places, is refused", async () => {
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      const place = { kind: "assembly" as const, blobId: assemblyOf(uploadId), partBytes: PART_BYTES };
      for (const wrong of [{ blobId: "other" }, { partBytes: 6 }]) {
        const put = uploads.inAssembly(uploadId, 2, { place: { ...place, ...wrong } });
        await expect(put).rejects.toMatchObject({ code: "INTERNAL" });
      }
      expect(await uploads.parts(uploadId)).toHaveLength(1);
      expect(await bench.state.unknownBlobs(["other"])).toEqual(["other"]);
    });

    it.each(["file", "inline"] as const)("in a blob of its own is readable there (%s)", async (how) => {
      const uploadId = await uploads.create();
      const blobId = await uploads.own(uploadId, 10_000, how);
      const [part] = await uploads.parts(uploadId);
      expect(part).toMatchObject({ number: 10_000, sizeBytes: 5, blob: { kind: how, blobId } });
      const bytes = part?.blob?.kind === "inline" ? Buffer.from(part.blob.bytes).toString() : null;
      expect(bytes).toBe(how === "inline" ? "bytes" : null);
      expect(await bench.state.unknownBlobs([blobId])).toEqual([]);
    });

    it("that comes again replaces the one before, whose own blob is garbage", async () => {
      const uploadId = await uploads.create();
      const first = await uploads.own(uploadId, 1);
      const second = await uploads.own(uploadId, 1, "file", "other");
      expect(await bench.garbage()).toEqual([first]);
      await uploads.inAssembly(uploadId, 1);
      expect(await bench.garbage()).toEqual([first, second].toSorted());
      expect(await uploads.parts(uploadId)).toMatchObject([{ number: 1, md5: blob("part 1").md5, blob: null }]);
      const inline = await uploads.own(uploadId, 1, "inline");
      await uploads.own(uploadId, 1, "file");
      expect(await bench.garbage()).not.toContain(inline);
      expect(await bench.state.unknownBlobs([inline, assemblyOf(uploadId)])).toEqual([inline]);
    });

    it("is listed by number, in pages", async () => {
      const uploadId = await uploads.create();
      for (const number of [9, 1, 10_000, 2]) await uploads.inAssembly(uploadId, number);
      const numbers = async (after: number, limit: number) =>
        (await uploads.parts(uploadId, after, limit)).map(({ number }) => number);
      expect(await numbers(0, 3)).toEqual([1, 2, 9]);
      expect(await numbers(9, 3)).toEqual([10_000]);
      expect(await numbers(3, 1)).toEqual([9]);
      expect(await numbers(10_000, 3)).toEqual([]);
    });

    it("of no upload is refused, and its blob stays unknown", async () => {
      const bytes = blob("bytes");
      const place = { kind: "own" as const, blob: bytes };
      await expect(uploads.inAssembly("none", 1, { place })).rejects.toMatchObject(unknown);
      await expect(uploads.parts("none")).rejects.toMatchObject(unknown);
      expect(await bench.state.unknownBlobs([bytes.blobId])).toEqual([bytes.blobId]);
    });
  });

  describe("an abort", () => {
    it("makes all bytes garbage, once", async () => {
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      const own = await uploads.own(uploadId, 2);
      await uploads.own(uploadId, 3, "inline");
      await bench.reopen();
      expect(await bench.state.abortUpload("box", "a", uploadId)).toBe(true);
      expect((await bench.garbage()).toSorted()).toEqual([own, assemblyOf(uploadId)].toSorted());
      expect(await find(uploadId)).toBeNull();
      await expect(uploads.own(uploadId, 4)).rejects.toMatchObject(unknown);
      expect(await bench.state.abortUpload("box", "a", uploadId)).toBe(false);
      await bench.state.deleteBucket(ADA, "box");
    });

    it("of very many parts leaves none of their blobs", async () => {
      const [uploadId, other] = [await uploads.create(), await uploads.create()];
      const own = await Promise.all(Array.from({ length: 300 }, (_, n) => uploads.own(uploadId, n + 1)));
      const kept = await uploads.own(other, 1);
      await bench.state.abortUpload("box", "a", uploadId);
      expect(await bench.garbage()).toEqual(own.toSorted());
      expect(await bench.state.unknownBlobs([kept])).toEqual([]);
    });
  });

  describe("a bucket", () => {
    it("that is deleted takes its open uploads along", async () => {
      const uploadId = await uploads.create();
      await uploads.inAssembly(uploadId, 1);
      await bench.state.deleteBucket(ADMIN, "box");
      await bench.settle();
      expect(await bench.garbage()).toEqual([assemblyOf(uploadId)]);
      await bench.state.createBucket(ADMIN, "box");
      expect(await find(uploadId)).toBeNull();
    });

    it("that goes with its data takes uploads along, and gives none to the next of its name", async () => {
      await bench.apply(service("s", "gone"));
      const uploadId = await uploads.create("a", { bucket: "gone" });
      await uploads.inAssembly(uploadId, 1);
      const own = await uploads.own(uploadId, 2);
      await bench.state.removeService(ADMIN, "s", true);
      await bench.settle();
      expect((await bench.garbage()).toSorted()).toEqual([own, assemblyOf(uploadId)].toSorted());
      await bench.state.createBucket(ADA, "gone");
      expect(await find(uploadId, "a", "gone")).toBeNull();
      await expect(uploads.inAssembly(uploadId, 3)).rejects.toMatchObject(unknown);
    });
  });
}
