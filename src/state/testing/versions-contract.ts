import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DeletedObject, DeleteTarget, VersionPage, VersionQuery } from "../object-calls.ts";
import { ADA, ADMIN, blob, output, StateBench, service } from "./state-bench.ts";

/** Versions, delete markers, tags and configurations of buckets: what every driver must do. */
export function versionsContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    await bench.state.createBucket(ADA, "box");
  });
  afterEach(() => bench.close());

  const enable = () => bench.state.setVersioning(ADA, "box", "enabled");
  const suspend = () => bench.state.setVersioning(ADA, "box", "suspended");
  const put = async (key: string, text = "text") => (await bench.put(`box/${key}`, text)).object;
  async function remove(key: string, more: Omit<DeleteTarget, "key"> = {}): Promise<DeletedObject> {
    const [deleted] = await bench.state.deleteObjects(ADA, "box", [{ key, ...more }], 5);
    if (deleted === undefined) throw new Error("nothing was answered");
    return deleted;
  }
  function page(query: Partial<VersionQuery> = {}): Promise<VersionPage> {
    const all = { bucket: "box", prefix: "", delimiter: "", afterKey: "", afterVersionId: null, limit: 100_000 };
    return bench.state.listVersions({ ...all, ...query });
  }
  /** `key: id` from the newest on, with a `-` before delete markers and a `*` behind the latest. */
  async function versions(): Promise<string[]> {
    return (await page()).versions.map(
      ({ key, versionId, isDeleteMarker, isLatest }) =>
        `${isDeleteMarker ? "-" : ""}${key}: ${versionId}${isLatest ? "*" : ""}`,
    );
  }

  describe("a write", () => {
    it("replaces the null version, stays beside those with an id, and has an id while versioning is enabled", async () => {
      await put("a", "1");
      await put("a", "2");
      expect(await versions()).toEqual(["a: null*"]);
      await enable();
      const [third, fourth] = [await put("a", "3"), await put("a", "4")];
      expect(await versions()).toEqual([`a: ${fourth.versionId}*`, `a: ${third.versionId}`, "a: null"]);
      await suspend();
      const fifth = await put("a", "5");
      expect(fifth).toMatchObject({ versionId: "null", isLatest: true });
      expect(await versions()).toEqual(["a: null*", `a: ${fourth.versionId}`, `a: ${third.versionId}`]);
      expect(await bench.state.object("box", "a")).toMatchObject({ etag: fifth.etag });
      expect(await bench.garbage()).toHaveLength(2);
      expect(await bench.state.objectCount()).toBe(1);
    });

    it("finds nothing under a delete marker for its condition", async () => {
      await enable();
      const { etag } = await put("a");
      await remove("a");
      for (const ifMatch of [etag, "*"]) {
        const refused = bench.put("box/a", "2", { condition: { ifMatch } });
        await expect(refused).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
      }
      await bench.put("box/a", "2", { condition: { ifNoneMatch: "*" } });
      expect(await bench.keys("box")).toEqual(["a"]);
    });

    it("starts jobs whose input stays theirs when it is replaced, hidden or removed", async () => {
      await bench.apply(service("s", "box"));
      await enable();
      const first = await bench.put("box/a", "first");
      await bench.run(first.jobIds[0] ?? "");
      await bench.put("box/a", "second");
      await remove("a");
      const again = await bench.state.retryJob(ADMIN, first.jobIds[0] ?? "", 1);
      await remove("a", { versionId: first.object.versionId });
      expect(again.input).toMatchObject({ versionSeq: first.object.versionSeq });
      await bench.state.cancelJob(ADMIN, again.id, 2);
      const gone = bench.state.retryJob(ADMIN, first.jobIds[0] ?? "", 3);
      await expect(gone).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
    });
  });

  describe("a delete", () => {
    it("removes the object when versioning was never on", async () => {
      await put("a");
      expect(await remove("a")).toEqual({
        key: "a",
        versionId: null,
        existed: true,
        deleteMarker: null,
        refused: false,
      });
      expect(await remove("a")).toMatchObject({ existed: false, deleteMarker: null });
      expect(await versions()).toEqual([]);
      expect(await bench.state.objectCount()).toBe(0);
    });

    it("makes a delete marker while versioning is enabled, each time and for any key", async () => {
      await enable();
      const { versionId } = await put("a");
      const first = await remove("a");
      const second = await remove("a");
      const other = await remove("never");
      expect([first.existed, second.existed, other.existed]).toEqual([true, false, false]);
      expect(await versions()).toEqual([
        `-a: ${second.deleteMarker}*`,
        `-a: ${first.deleteMarker}`,
        `a: ${versionId}`,
        `-never: ${other.deleteMarker}*`,
      ]);
      expect(await bench.keys("box")).toEqual([]);
      expect(await bench.state.object("box", "a")).toBeNull();
      expect(await bench.state.objectVersion("box", "a", null)).toMatchObject({
        ...{ versionId: second.deleteMarker, isDeleteMarker: true, isLatest: true, blob: null, lastModified: 5 },
        ...{ owner: "ada", sizeBytes: 0 },
      });
      expect(await bench.state.objectVersion("box", "a", versionId)).toMatchObject({ isLatest: false, sizeBytes: 4 });
      expect(await bench.state.objectCount()).toBe(0);
      expect(await bench.garbage()).toEqual([]);
    });

    it("makes the null version a delete marker while versioning is suspended", async () => {
      await put("a", "null");
      await enable();
      const kept = await put("a", "kept");
      await suspend();
      expect(await remove("a")).toMatchObject({ existed: true, deleteMarker: "null" });
      expect(await versions()).toEqual(["-a: null*", `a: ${kept.versionId}`]);
      expect(await remove("a")).toMatchObject({ existed: false, deleteMarker: "null" });
      expect(await versions()).toEqual(["-a: null*", `a: ${kept.versionId}`]);
      expect(await bench.garbage()).toHaveLength(1);
      await put("a", "again");
      expect(await versions()).toEqual(["a: null*", `a: ${kept.versionId}`]);
    });

    it("with a version id removes that one for good, and the newest that remains is the latest", async () => {
      await put("a", "1");
      await enable();
      const second = await put("a", "2");
      const marker = (await remove("a")).deleteMarker ?? "";
      const fourth = await put("a", "4");
      const removeId = (versionId: string) => remove("a", { versionId });
      expect(await removeId(fourth.versionId)).toMatchObject({ existed: true, deleteMarker: null });
      expect(await versions()).toEqual([`-a: ${marker}*`, `a: ${second.versionId}`, "a: null"]);
      expect(await bench.state.objectCount()).toBe(0);
      expect(await removeId(marker)).toMatchObject({ existed: true, deleteMarker: marker, versionId: marker });
      expect(await bench.state.objectCount()).toBe(1);
      expect(await removeId("null")).toMatchObject({ existed: true });
      expect(await removeId(fourth.versionId)).toMatchObject({ existed: false });
      expect(await versions()).toEqual([`a: ${second.versionId}*`]);
      await removeId(second.versionId);
      expect(await versions()).toEqual([]);
      expect(await bench.garbage()).toHaveLength(3);
    });

    it.each(["", "none", "NULL", "0", "ffffffffffffffff", "../../../../etc/p"])(
      "with the id %j, which no version has, removes nothing",
      async (versionId) => {
        await put("a");
        expect(await remove("a", { versionId })).toMatchObject({ existed: false, refused: false });
        expect(await bench.state.objectVersion("box", "a", versionId)).toBeNull();
        expect(await bench.keys("box")).toEqual(["a"]);
      },
    );

    it("finds no version of another key or bucket, and none by the number of a null version", async () => {
      await put("null");
      await enable();
      const { versionId } = await put("a");
      const number = (await bench.state.object("box", "null"))?.versionSeq.toString(16).padStart(16, "0");
      expect(await remove("b", { versionId })).toMatchObject({ existed: false });
      expect(await remove("null", { versionId: number ?? "" })).toMatchObject({ existed: false });
      expect(await versions()).toEqual([`a: ${versionId}*`, "null: null*"]);
    });

    it("is refused when its condition does not hold for the latest version", async () => {
      await enable();
      const first = await put("a", "1");
      const second = await put("a", "2");
      expect(await remove("a", { ifMatch: first.etag })).toMatchObject({ refused: true, existed: true });
      const older = { versionId: first.versionId, ifMatch: first.etag };
      expect(await remove("a", older)).toMatchObject({ refused: true });
      expect(await remove("none", { ifMatch: "*" })).toMatchObject({ refused: true, existed: false });
      expect(await remove("a", { ifMatch: `"${second.etag}"` })).toMatchObject({ refused: false });
      expect(await remove("a", { ifMatch: "*" })).toMatchObject({ refused: true, existed: false });
      expect((await versions()).length).toBe(3);
    });

    it("is in the change log once for each version that went and each marker that came", async () => {
      await put("a");
      await suspend();
      await remove("a");
      await enable();
      const marker = (await remove("a")).deleteMarker;
      await remove("a", { versionId: marker ?? "" });
      const changes = (await bench.changes("object.removed")).map(({ data }) => [data.versionId, data.deleteMarker]);
      expect(changes).toEqual([
        [undefined, undefined],
        [undefined, "created"],
        [marker, "created"],
        [marker, "removed"],
      ]);
    });
  });

  describe("a bucket", () => {
    it("goes only when no version and no marker is left, and takes its versioning along", async () => {
      await enable();
      expect(await bench.state.bucket("box")).toMatchObject({ versioning: "enabled" });
      const { versionId } = await put("a");
      const marker = (await remove("a")).deleteMarker ?? "";
      const goes = () => bench.state.deleteBucket(ADA, "box");
      await expect(goes()).rejects.toMatchObject({ code: "BUCKET_NOT_EMPTY" });
      await remove("a", { versionId });
      await expect(goes()).rejects.toMatchObject({ code: "BUCKET_NOT_EMPTY" });
      await remove("a", { versionId: marker });
      await goes();
      expect(await bench.state.createBucket(ADA, "box")).toMatchObject({ versioning: "off" });
      await expect(bench.state.setVersioning(ADA, "none", "enabled")).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    });

    it("loses all versions with the service that removes it", async () => {
      await bench.apply(service("s", "", "box"));
      await enable();
      for (const text of ["1", "2"]) await put("a", text);
      await put("b");
      await remove("b");
      await bench.state.removeService(ADMIN, "s", true);
      await bench.settle();
      expect(await bench.garbage()).toHaveLength(3);
      expect(await bench.state.objectCount()).toBe(0);
    });

    it("keeps configurations as they came, until they or it are removed", async () => {
      const set = (body: string | null) => bench.state.setBucketConfig(ADA, "box", "cors", body);
      expect(await bench.state.bucketConfig("box", "cors")).toBeNull();
      await set("<A/>");
      await set("<B é/>");
      await bench.reopen();
      expect(await bench.state.bucketConfig("box", "cors")).toBe("<B é/>");
      expect(await bench.state.bucketConfig("box", "policy")).toBeNull();
      expect(await bench.state.bucketsWithConfig("cors")).toEqual([{ bucket: "box", body: "<B é/>" }]);
      await set(null);
      expect(await bench.state.bucketsWithConfig("cors")).toEqual([]);
      await set("<C/>");
      await bench.state.deleteBucket(ADA, "box");
      await bench.state.createBucket(ADA, "box");
      expect(await bench.state.bucketConfig("box", "cors")).toBeNull();
      expect(await bench.changes("bucket.updated")).toHaveLength(4);
      const unknown = bench.state.setBucketConfig(ADA, "none", "cors", "");
      await expect(unknown).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
      expect(await bench.state.bucketConfig("none", "cors")).toBeNull();
    });
  });

  describe("tags", () => {
    it("belong to one version and are replaced as a whole", async () => {
      await enable();
      const first = await bench.put("box/a", "1", { tags: { old: "1" } });
      const second = await put("a", "2");
      const set = (versionId: string | null, tags: Record<string, string>) =>
        bench.state.setObjectTags(ADA, "box", "a", versionId, tags);
      expect(await set(first.object.versionId, { x: "ü", y: "" })).toMatchObject({ tags: { x: "ü", y: "" } });
      expect(await set(null, { z: "1" })).toMatchObject({ versionId: second.versionId, tags: { z: "1" } });
      const tags = (versionId: string) =>
        bench.state.objectVersion("box", "a", versionId).then((version) => version?.tags);
      expect(await tags(first.object.versionId)).toEqual({ x: "ü", y: "" });
      await set(null, {});
      expect(await tags(second.versionId)).toEqual({});
      expect(await bench.changes("object.tagged")).toMatchObject([{ key: "box/a" }, {}, {}]);
    });

    it("need a version that is there and no delete marker", async () => {
      await enable();
      await put("a");
      const marker = (await remove("a")).deleteMarker;
      const set = (bucket: string, key: string, id: string | null) =>
        bench.state.setObjectTags(ADA, bucket, key, id, {});
      for (const id of [null, marker, "null"]) {
        await expect(set("box", "a", id)).rejects.toMatchObject({ code: "OBJECT_UNKNOWN" });
      }
      await expect(set("none", "a", null)).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    });
  });

  describe("a listing of versions", () => {
    /** All pages, with the place where each ended. */
    async function pages(limit: number, query: Partial<VersionQuery> = {}): Promise<string[]> {
      const found: string[] = [];
      let [afterKey, afterVersionId]: [string, string | null] = ["", null];
      for (;;) {
        const { versions, commonPrefixes, next } = await page({ ...query, afterKey, afterVersionId, limit });
        expect(versions.length + commonPrefixes.length).toBeLessThanOrEqual(limit);
        found.push(...commonPrefixes, ...versions.map(({ key, versionId }) => `${key} ${versionId}`));
        if (next === null) return found;
        [afterKey, afterVersionId] = [next.key, next.versionId];
      }
    }

    it("is the same in pages of any size", async () => {
      for (const key of ["a/1", "a/2", "b", "c"]) await put(key);
      await enable();
      for (const key of ["b", "c", "c", "a/1"]) await put(key);
      await remove("b");
      const whole = await pages(1000);
      expect(whole).toHaveLength(9);
      for (const limit of [1, 2, 3]) {
        expect(await pages(limit)).toEqual(whole);
        expect((await pages(limit, { delimiter: "/" })).toSorted()).toEqual(["a/", ...whole.slice(3)].toSorted());
        expect(await pages(limit, { prefix: "c" })).toEqual(whole.slice(6));
      }
      expect((await page({ limit: 0 })).next).toBeNull();
      await expect(page({ bucket: "none" })).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    });

    it("goes on rightly when what it listed is removed meanwhile", async () => {
      await enable();
      for (let n = 0; n < 3; n++) await put("a");
      await suspend();
      await put("a");
      await put("b");
      const all = await pages(1000);
      const removed: string[] = [];
      let next: VersionPage["next"] = { key: "", versionId: null };
      while (next !== null) {
        const { versions, next: after }: VersionPage = await page({
          ...{ afterKey: next.key, afterVersionId: next.versionId, limit: 1 },
        });
        for (const { key, versionId } of versions) {
          await remove(key, { versionId });
          removed.push(`${key} ${versionId}`);
        }
        next = after;
      }
      expect(removed).toEqual(all);
    });

    it("goes on behind a version that a client names", async () => {
      await put("a", "null");
      await enable();
      const second = await put("a");
      await put("b");
      const behind = async (afterKey: string, afterVersionId: string | null) =>
        (await page({ afterKey, afterVersionId })).versions.map(({ key, versionId }) =>
          key === "b" ? "b" : `${key} ${versionId}`,
        );
      expect(await behind("a", second.versionId)).toEqual(["a null", "b"]);
      expect(await behind("a", "null")).toEqual(["b"]);
      expect(await behind("a", null)).toEqual(["b"]);
      await remove("a", { versionId: "null" });
      expect(await behind("a", "null")).toEqual([`a ${second.versionId}`, "b"]);
    });
  });

  describe("outputs of a large finish in a bucket with versions", () => {
    const many = (text: string) => Array.from({ length: 1200 }, (_, n) => output(`box/${n}`, text));

    async function finishTwice() {
      await bench.apply(service("s", "", "box"));
      for (const text of ["old", "new"]) {
        const { id } = await bench.call("s");
        await bench.run(id, "ok", many(text));
      }
    }

    it.each(["off", "enabled", "suspended"] as const)(
      "show what they will show when settled (%s)",
      async (versioning) => {
        await put("0", "by a user");
        if (versioning !== "off") await bench.state.setVersioning(ADA, "box", versioning);
        await finishTwice();
        const read = async () => ({
          versions: (await page({ limit: 5000 })).versions,
          paged: await Promise.all(
            ["0", "7"].map(async (afterKey) => {
              const first = await page({ prefix: afterKey, limit: 1 });
              return page({ afterKey, afterVersionId: first.next?.versionId ?? null, limit: 5 });
            }),
          ),
          latest: await bench.state.objectVersion("box", "0", null),
          byId: await bench.state.objectVersion("box", "0", "null"),
          objects: await bench.keys("box"),
        });
        const before = await read();
        await bench.settle();
        expect(await read()).toEqual(before);
        expect(before.versions).toHaveLength(versioning === "enabled" ? 2401 : 1200);
        expect(before.objects).toHaveLength(1200);
        expect(before.latest).toMatchObject({ isLatest: true });
      },
    );

    it("keep their ids when versioning changes before they are settled", async () => {
      await enable();
      await finishTwice();
      const before = await versions();
      await suspend();
      expect(await versions()).toEqual(before);
      await put("3", "after");
      await bench.settle();
      const after = (await versions()).filter((version) => !version.startsWith("3:"));
      expect(after).toEqual(before.filter((version) => !version.startsWith("3:")));
      const named = (await page({ prefix: "3", limit: 1 })).versions[0];
      expect(named).toMatchObject({ key: "3", versionId: "null", isLatest: true });
    });

    it("can be removed, tagged and copied by id at once", async () => {
      await enable();
      await finishTwice();
      const [newest, older] = (await page({ prefix: "77", limit: 2 })).versions;
      await bench.state.setObjectTags(ADA, "box", "77", newest?.versionId ?? "", { t: "1" });
      expect(await remove("77", { versionId: older?.versionId ?? "" })).toMatchObject({ existed: true });
      await bench.settle();
      expect((await page({ prefix: "77" })).versions.filter(({ key }) => key === "77")).toMatchObject([
        { versionId: newest?.versionId, tags: { t: "1" }, isLatest: true },
      ]);
    });
  });

  it("an inline object's versions keep their bytes", async () => {
    await enable();
    const first = await bench.put("box/a", "", { blob: blob("one", "inline") });
    await bench.put("box/a", "", { blob: blob("two", "inline") });
    const read = await bench.state.objectVersion("box", "a", first.object.versionId);
    expect(read?.blob?.kind === "inline" ? Buffer.from(read.blob.bytes).toString() : "").toBe("one");
  });
}
