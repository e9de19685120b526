import { afterEach, beforeEach, expect, it } from "vitest";
import { compareKeys } from "../../core/keys.ts";
import type { UploadPage, UploadQuery } from "../object-calls.ts";
import { ADA, StateBench } from "./state-bench.ts";
import { UploadsBench } from "./uploads-bench.ts";

/** An upload as `key #n`, counted in the order of their beginning, or the text of a common prefix. */
type Items = readonly string[];

const KEYS = ["!", "/", "//a", "a", "a", "a/", "a/b", "a/b", "a0", "ab/c", "b😀/1", "b😀/2", "b\uffff", "é", "a"];

/** Lists of open uploads: what every driver must do. */
export function uploadListingContract(driver: string): void {
  let bench: StateBench;
  let uploads: UploadsBench;
  let ids: string[];
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    uploads = new UploadsBench(() => bench.state);
    await bench.state.createBucket(ADA, "box");
    ids = [];
  });
  afterEach(() => bench.close());

  async function begin(keys: readonly string[]): Promise<void> {
    for (const key of keys) ids.push(await uploads.create(key));
  }
  const abort = (key: string, n: number) => bench.state.abortUpload("box", key, ids[n] ?? "");
  const namesOf = (page: UploadPage): Items =>
    [...page.uploads.map(({ key, uploadId }) => `${key} #${ids.indexOf(uploadId)}`), ...page.commonPrefixes].toSorted(
      (a, b) => compareKeys(keyOf(a), keyOf(b)),
    );

  async function pages(query: Partial<UploadQuery>, limit: number): Promise<Items> {
    const found: string[] = [];
    for (let next: UploadPage["next"] = { key: "", uploadId: null }; next !== null; ) {
      const at = { afterKey: next.key, afterUploadId: next.uploadId };
      const page: UploadPage = await uploads.page({ ...query, ...at, limit });
      expect(page.uploads.length + page.commonPrefixes.length).toBeLessThanOrEqual(limit);
      found.push(...namesOf(page));
      next = page.next;
    }
    return found;
  }

  it.each([1, 2, 3, 1000])("in pages of %i equal a plain sort and fold", async (limit) => {
    await begin(KEYS);
    for (const prefix of ["", "/", "a", "a/", "b", "b😀", "none"]) {
      for (const delimiter of ["", "/", "😀"]) {
        const items = await pages({ prefix, delimiter }, limit);
        expect(items, `${prefix} by ${delimiter}`).toEqual(expected(prefix, delimiter));
      }
    }
  });

  it("name open uploads only, of their bucket", async () => {
    await bench.state.createBucket(ADA, "other");
    await uploads.create("a", { bucket: "other" });
    await begin(["a", "a", "b"]);
    await uploads.inAssembly(ids[0] ?? "", 1);
    await uploads.complete(ids[0] ?? "");
    await abort("b", 2);
    const page = await uploads.page();
    expect(namesOf(page)).toEqual(["a #1"]);
    expect(page.uploads[0]).toMatchObject({ bucket: "box", owner: "ada", initiatedAt: 7, completed: null });
  });

  it("go on behind any key, and behind an upload that was completed meanwhile", async () => {
    await begin(["a", "a", "a", "b", "c/1"]);
    const behind = async (afterKey: string, n: number | null = null, delimiter = "") =>
      namesOf(await uploads.page({ afterKey, afterUploadId: n === null ? null : (ids[n] ?? ""), delimiter }));
    expect(await behind("a")).toEqual(["b #3", "c/1 #4"]);
    expect(await behind("aa", null, "/")).toEqual(["b #3", "c/"]);
    expect(await behind("c/", null, "/")).toEqual([]);
    expect(await behind("a", 0)).toEqual(["a #1", "a #2", "b #3", "c/1 #4"]);
    await uploads.inAssembly(ids[1] ?? "", 1);
    await uploads.complete(ids[1] ?? "");
    expect(await behind("a", 1)).toEqual(["a #2", "b #3", "c/1 #4"]);
  });

  it("come by every upload of a key when each page is aborted before the next", async () => {
    await begin(["a", "a", "a", "a", "a", "b"]);
    const aborted: string[] = [];
    for (let next: UploadPage["next"] = { key: "", uploadId: null }; next !== null; ) {
      const page: UploadPage = await uploads.page({ afterKey: next.key, afterUploadId: next.uploadId, limit: 2 });
      for (const { key, uploadId } of page.uploads) {
        await bench.state.abortUpload("box", key, uploadId);
        aborted.push(uploadId);
      }
      next = page.next;
    }
    expect(aborted).toEqual(ids);
  });

  it("take an upload of another key for no mark", async () => {
    await begin(["a", "b", "a"]);
    const page = await uploads.page({ afterKey: "a", afterUploadId: ids[1] ?? "" });
    expect(namesOf(page)).toEqual(["a #0", "a #2", "b #1"]);
  });

  it("say nothing for a limit of nothing, and that a bucket is unknown", async () => {
    await begin(["a"]);
    expect(await uploads.page({ limit: 0 })).toEqual({ uploads: [], commonPrefixes: [], next: null });
    await expect(uploads.page({ bucket: "nowhere" })).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
  });
}

const keyOf = (item: string): string => item.replace(/ #\d+$/, "");

/** By the words of the S3 manual: every upload by key and then by time, those that share a prefix up to the delimiter once. */
function expected(prefix: string, delimiter: string): Items {
  const uploads = KEYS.map((key, n) => ({ key, name: `${key} #${n}` }));
  const found = new Set<string>();
  for (const { key, name } of uploads.toSorted((a, b) => compareKeys(a.key, b.key))) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    found.add(at < 0 ? name : key.slice(0, at + delimiter.length));
  }
  return [...found];
}
