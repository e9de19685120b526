import { resolve, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { localPath, partialName, planLocalPaths } from "./local-path.ts";

const HOSTILE = [
  "../../etc/passwd",
  "..",
  "a/../../b",
  "/etc/passwd",
  "//",
  "a//b",
  "./x",
  ".",
  "a/./b",
  "x/..",
  "..\u0301/x",
  "…/x",
  "n".repeat(300),
  "é".repeat(200),
  "a\nb",
  "\\..\\x",
];

describe("where an object goes on this machine", () => {
  it.each(HOSTILE)("%j stays below the target, under a name that a file can have", (key) => {
    const path = resolve("/target", localPath(key));
    expect(path.startsWith(`/target${sep}`)).toBe(true);
    for (const segment of localPath(key).split("/")) {
      expect(["", ".", ".."]).not.toContain(segment);
      expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
    }
  });

  it("keeps ordinary names as they are", () => {
    for (const key of ["a.jpg", "2026/03/ä 1.jpg", ".hidden", "...", "日本/👍.png"]) expect(localPath(key)).toBe(key);
  });

  it("gives every hostile key a path of its own", () => {
    const { paths, refused } = planLocalPaths(HOSTILE, "");
    // A file and a folder of one name, like `a` beside `a/b`.
    expect([...refused.keys()]).toEqual(["..", "."]);
    expect(new Set(paths.values()).size).toBe(HOSTILE.length - 2);
  });

  it("drops the folder asked for", () => {
    expect([...planLocalPaths(["in/a", "in/b/c"], "in/").paths.values()]).toEqual(["a", "b/c"]);
  });

  it("refuses a file where another object needs a folder, and the other way round", () => {
    expect([...planLocalPaths(["a", "a/b", "a/b/c"], "").refused.keys()]).toEqual(["a/b", "a/b/c"]);
    expect([...planLocalPaths(["a/b", "a"], "").refused.keys()]).toEqual(["a"]);
    expect(planLocalPaths(["a", "a/b"], "").refused.get("a/b")).toContain('"a" needs the same place');
  });

  it("refuses a key that was made to meet the replacement of another", () => {
    const replaced = localPath("..");
    expect([...planLocalPaths(["..", replaced], "").refused.keys()]).toEqual([replaced]);
  });

  it("names partial files by their content's identity", () => {
    expect(partialName("b", "k", "e1")).toBe(partialName("b", "k", "e1"));
    expect(partialName("b", "k", "e1")).not.toBe(partialName("b", "k", "e2"));
    expect(partialName("b", "../k".repeat(90), "e")).toMatch(/^\.sluice-[0-9a-f]{24}\.part$/);
  });
});
