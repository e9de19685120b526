import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobsPlace, claimBlobsDir } from "./blobs-dir.ts";

let root = "";
let dir = "";
let there = "";
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "sluice-blobs-dir-")));
  dir = join(root, "data");
  there = join(root, "mount/blobs");
  mkdirSync(dir);
});
afterEach(() => rmSync(root, { recursive: true }));

const refuses = (given: string | null, words: string, of = dir): void =>
  expect(() => claimBlobsDir(of, given)).toThrow(
    expect.objectContaining({ code: "DATA_DIR_INVALID", message: expect.stringContaining(words) }),
  );
const blob = (folder: string): void => {
  mkdirSync(join(folder, "ab"), { recursive: true });
  writeFileSync(join(folder, "ab", "abcd"), "bytes");
};

it("is in the data directory unless another is given", () => {
  expect(claimBlobsDir(dir, null)).toBe(join(dir, "blobs"));
  expect(blobsPlace(dir)).toBe(join(dir, "blobs"));
  expect(readdirSync(dir)).toEqual([]);
});

describe("another folder", () => {
  it("is made and taken, and stays this data directory's", () => {
    expect(claimBlobsDir(dir, there)).toBe(there);
    blob(there);
    expect(claimBlobsDir(dir, there)).toBe(there);
    expect(blobsPlace(dir)).toBe(there);
    for (const mark of [join(dir, "blobs-dir"), join(there, "sluice-blobs")])
      expect(statSync(mark).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(["blobs-dir"]);
  });

  it("must be given at every start", () => {
    claimBlobsDir(dir, there);
    refuses(null, `its blobs lie in "${there}"`);
  });

  it("is refused while its file system is not mounted, or when it is another one", () => {
    claimBlobsDir(dir, there);
    rmSync(there, { recursive: true });
    refuses(there, "is its file system mounted?");
    refuses(join(root, "elsewhere"), "does not hold its blobs");
    expect(blobsPlace(dir)).toBe(there);
  });

  it("may be moved with its mark", () => {
    claimBlobsDir(dir, there);
    const moved = join(root, "moved");
    cpSync(there, moved, { recursive: true });
    expect(claimBlobsDir(dir, moved)).toBe(moved);
    expect(blobsPlace(dir)).toBe(moved);
  });

  it("is refused when another data directory has it", () => {
    claimBlobsDir(dir, there);
    const second = join(root, "second");
    mkdirSync(second);
    refuses(there, "holds the blobs of another data directory", second);
    expect(readdirSync(second)).toEqual([]);
  });

  it("is refused while the data directory has blobs of its own, and taken once they were moved", () => {
    mkdirSync(join(dir, "blobs/00"), { recursive: true });
    blob(join(dir, "blobs"));
    refuses(there, "holds blobs already");
    cpSync(join(dir, "blobs"), there, { recursive: true });
    rmSync(join(dir, "blobs"), { recursive: true });
    expect(claimBlobsDir(dir, there)).toBe(there);
    expect(readFileSync(join(there, "ab/abcd"), "utf8")).toBe("bytes");
  });

  it("is refused when it holds files of others, or cannot be made", () => {
    mkdirSync(there, { recursive: true });
    writeFileSync(join(there, "thesis.tex"), "");
    refuses(there, 'holds other files ("thesis.tex")');
    refuses(join(there, "thesis.tex"), "cannot be made");
    expect(readdirSync(there)).toEqual(["thesis.tex"]);
  });

  it.each(["before the folder was marked", "before that was noted"])("is taken after a crash %s", (when) => {
    claimBlobsDir(dir, there);
    const mark = JSON.parse(readFileSync(join(dir, "blobs-dir"), "utf8"));
    writeFileSync(join(dir, "blobs-dir"), JSON.stringify({ ...mark, claimed: false }));
    if (when.startsWith("before the folder")) rmSync(join(there, "sluice-blobs"));
    expect(claimBlobsDir(dir, there)).toBe(there);
    expect(JSON.parse(readFileSync(join(dir, "blobs-dir"), "utf8"))).toEqual(mark);
  });

  it("is refused with a damaged mark", () => {
    claimBlobsDir(dir, there);
    for (const text of ["", "{}", "[", '{"id":1,"path":2}']) {
      writeFileSync(join(dir, "blobs-dir"), text);
      refuses(there, "is damaged");
    }
  });
});
