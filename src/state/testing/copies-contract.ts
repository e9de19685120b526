import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ObjectInfo } from "../../core/object.ts";
import type { Copy } from "../object-calls.ts";
import { ADA, ADMIN, BEN, blob, output, StateBench, service } from "./state-bench.ts";

/** Server-side copies: what every driver must do. */
export function copiesContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    for (const name of ["from", "dest"]) await bench.state.createBucket(ADA, name);
  });
  afterEach(() => bench.close());

  async function copy(source: Pick<ObjectInfo, "bucket" | "key" | "versionSeq">, to: string, over: Partial<Copy> = {}) {
    const [bucket = "", key = ""] = to.split("/");
    const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
    return bench.state.copyObject({ by: BEN, source, bucket, key, ...kept, at: 9, ...over });
  }
  const remove = (bucket: string, key: string) => bench.state.deleteObjects(ADA, bucket, [{ key }], 1);
  const facts = { metadata: { m: "1" }, headers: { "cache-control": "x" }, checksums: { crc32c: "AA==" } };
  const original = (over = {}) => bench.put("from/a", "bytes", { ...facts, tags: { t: "1" }, ...over });

  it.each(["file", "inline"] as const)("share the bytes, which go with the last of them (%s)", async (how) => {
    const { object } = await original({ blob: blob("bytes", how) });
    await copy(object, "dest/b");
    await copy(object, "dest/c");
    const read = await bench.state.object("dest", "b");
    expect(read?.blob).toEqual((await bench.state.object("from", "a"))?.blob);
    await remove("from", "a");
    await remove("dest", "b");
    expect(await bench.garbage()).toEqual([]);
    expect(await bench.state.object("dest", "c")).toMatchObject({ sizeBytes: 5, blob: read?.blob });
    await remove("dest", "c");
    expect(await bench.garbage()).toHaveLength(how === "file" ? 1 : 0);
    const blobId = read?.blob.blobId ?? "";
    expect(await bench.state.unknownBlobs([blobId])).toEqual(how === "file" ? [] : [blobId]);
  });

  it("keep everything of the source but place, time, owner and job", async () => {
    const { object } = await original();
    const { object: made } = await copy(object, "dest/b");
    expect(made).toEqual({
      ...object,
      ...{ bucket: "dest", key: "b", lastModified: 9, owner: "ben", versionSeq: made.versionSeq },
    });
    expect(made.versionSeq).toBeGreaterThan(object.versionSeq);
  });

  it("replace what they are told to", async () => {
    const { object } = await original();
    const replace = { contentType: "x/y", metadata: {}, headers: { expires: "0" } };
    const told = { replace, tags: {}, checksums: { sha1: "BB==" } };
    const { object: made } = await copy(object, "dest/b", told);
    expect(made).toMatchObject({ ...replace, tags: {}, checksums: { sha1: "BB==" }, etag: object.etag });
    expect(made.metadata).toEqual({});
  });

  it("onto the object itself change its metadata and lose no byte", async () => {
    const { object } = await original();
    const replace = { contentType: "x/y", metadata: { new: "1" }, headers: {} };
    await copy(object, "from/a", { replace });
    expect(await bench.state.object("from", "a")).toMatchObject({ metadata: { new: "1" }, sizeBytes: 5 });
    expect(await bench.garbage()).toEqual([]);
    await remove("from", "a");
    expect(await bench.garbage()).toHaveLength(1);
  });

  it("of an older version bring it back as the latest", async () => {
    await bench.state.setVersioning(ADA, "from", "enabled");
    const { object: first } = await original();
    await bench.put("from/a", "new");
    await copy(first, "from/a");
    expect(await bench.state.object("from", "a")).toMatchObject({ etag: first.etag, tags: { t: "1" } });
    await bench.state.deleteObjects(ADA, "from", [{ key: "a", versionId: first.versionId }], 1);
    expect(await bench.garbage()).toEqual([]);
  });

  it("need the version that was looked at", async () => {
    const { object } = await original();
    await bench.put("from/a", "replaced");
    await expect(copy(object, "dest/b")).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    const elsewhere = { ...object, key: "b" };
    await expect(copy(elsewhere, "dest/b")).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    await expect(copy({ ...object, bucket: "none" }, "dest/b")).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    await expect(copy(object, "none/b")).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    await expect(copy(object, "dest/")).rejects.toMatchObject({ code: "KEY_INVALID" });
    await bench.state.setVersioning(ADA, "from", "enabled");
    await remove("from", "a");
    const marker = await bench.state.objectVersion("from", "a", null);
    if (marker === null) throw new Error("the delete marker is missing");
    await expect(copy(marker, "dest/b")).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    expect(await bench.keys("dest")).toEqual([]);
  });

  it("answer conditions on the target", async () => {
    const { object } = await original();
    const condition = { ifNoneMatch: "*" };
    await copy(object, "dest/b", { condition });
    await expect(copy(object, "dest/b", { condition })).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect(await bench.changes("object.created")).toHaveLength(2);
  });

  it("start jobs with the shared bytes as their input, in the chain of the job that copies", async () => {
    await bench.apply(service("s", "dest"));
    const { object } = await original();
    const lineage = { rootId: "root", parentJobId: "parent", hops: 2 };
    const { jobIds, object: made } = await copy(object, "dest/b", { lineage });
    expect(made.jobId).toBe("parent");
    await remove("from", "a");
    await remove("dest", "b");
    const { input, job } = await bench.lease(jobIds[0] ?? "");
    expect(input).toMatchObject({ name: "b", sizeBytes: 5 });
    expect(job).toMatchObject({ hops: 3, parentJobId: "parent" });
  });

  it("of an output that waits to be settled settle it first", async () => {
    await bench.apply(service("s", "", "from"));
    const { id } = await bench.call("s");
    await bench.run(
      id,
      "ok",
      Array.from({ length: 1200 }, (_, n) => output(`from/${n}`)),
    );
    const source = await bench.state.object("from", "1199");
    if (source === null) throw new Error("the output is missing");
    await copy(source, "dest/b", { by: ADMIN });
    await bench.settle();
    expect((await bench.state.object("dest", "b"))?.blob).toEqual(source.blob);
    expect((await bench.state.object("from", "1199"))?.versionSeq).toBe(source.versionSeq);
  });

  describe("in a bucket with versions", () => {
    it("are versions with ids", async () => {
      await bench.state.setVersioning(ADA, "dest", "enabled");
      const { object } = await original();
      const made = [(await copy(object, "dest/b")).object, (await copy(object, "dest/b")).object];
      expect(new Set(made.map(({ versionId }) => versionId)).size).toBe(2);
      expect(made.map(({ versionId }) => versionId)).not.toContain("null");
    });
  });
}
