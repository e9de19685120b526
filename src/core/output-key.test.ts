import { describe, expect, it } from "vitest";
import { EMBEDDED_PROVIDER, matchesFilters, triggers } from "./filters.ts";
import { outputKey, renamedKey, stem } from "./output-key.ts";
import type { StorageEntry } from "./service.ts";

const entry = (folder: string, suffixes: string[] = [], prefixes: string[] = []): StorageEntry => ({
  provider: EMBEDDED_PROVIDER,
  bucket: "photos",
  folder,
  prefixes,
  suffixes,
  optional: false,
});
const naming = { jobId: "thumbs-1", inputName: "in/2026/cat.one.jpg", time: Date.UTC(2026, 10, 24, 23, 59) };

describe("output keys", () => {
  it.each([
    ["thumbs", "cat.png", "thumbs/cat.png"],
    ["", "cat.png", "cat.png"],
    ["out/{stem}", "a/b.txt", "out/cat.one/a/b.txt"],
    ["{date}/{job}/{input}", "x", "2026-11-24/thumbs-1/cat.one.jpg/x"],
    ["{other}/{}/{jobs}", "x", "{other}/{}/{jobs}/x"],
  ])("%j + %j → %j", (folder, name, key) => {
    expect(outputKey(entry(folder), name, naming)).toEqual({ bucket: "photos", key });
  });

  it("fills placeholders once: a value that looks like one stays", () => {
    expect(outputKey(entry("{stem}"), "x", { ...naming, inputName: "{job}.txt" }).key).toBe("{job}/x");
  });

  it.each([
    ["cat.png", "cat-j1.png"],
    ["a.b/cat", "a.b/cat-j1"],
    [".hidden", ".hidden-j1"],
    ["a/b.tar.gz", "a/b.tar-j1.gz"],
  ])("renames %s to %s", (key, renamed) => expect(renamedKey(key, "j1")).toBe(renamed));

  it("takes the last extension off", () => expect([".a", "a.b.c", "a"].map(stem)).toEqual([".a", "a.b", "a"]));
});

describe("filters", () => {
  it("needs any prefix and any suffix; no list allows all", () => {
    expect(matchesFilters("cat.png", entry("", [".jpg", ".png"]))).toBe(true);
    expect(matchesFilters("cat.gif", entry("", [".jpg", ".png"]))).toBe(false);
    expect(matchesFilters("cat.png", entry("", [], ["dog"]))).toBe(false);
    expect(matchesFilters("anything", entry(""))).toBe(true);
  });

  it.each([
    ["in/cat.jpg", true],
    ["in/deep/cat.jpg", true],
    ["inside/cat.jpg", false],
    ["in", false],
    ["in/", false],
    ["in/cat.txt", false],
    ["in/deep.jpg/", false],
  ])("an input folder with suffix .jpg starts a job for %j: %s", (key, starts) => {
    expect(triggers({ inputs: [entry("in", [".jpg"])] }, "photos", key)).toBe(starts);
  });

  it("looks at bucket and provider", () => {
    expect(triggers({ inputs: [entry("")] }, "other", "cat.jpg")).toBe(false);
    expect(triggers({ inputs: [{ ...entry(""), provider: "s3.lab" }] }, "photos", "cat.jpg")).toBe(false);
  });
});
