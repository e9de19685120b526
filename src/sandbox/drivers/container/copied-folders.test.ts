import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addEntry, type EntryHeader, makeArchive, readMembers } from "./archives.ts";
import { packMounts, unpackFolder } from "./copied-folders.ts";

const ROOMY = { bytes: 1_000_000, files: 1000 };

let folder: string;
let into: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-copied-"));
  into = join(folder, "work");
  mkdirSync(into);
});
afterEach(() => rmSync(folder, { recursive: true }));

const archive = (...headers: readonly EntryHeader[]) =>
  makeArchive(async (pack) => {
    for (const header of headers) {
      if (header.type === "file") pack.entry(header, "");
      else await addEntry(pack, header);
    }
  });

test("what is mounted arrives by its path inside, and comes back", async () => {
  mkdirSync(join(into, "deep"));
  writeFileSync(join(into, "deep/file"), "text");
  symlinkSync("/etc/shadow", join(into, "link"));
  const mounts = [{ kind: "folder" as const, source: into, target: "/tmp/job", readOnly: false }];
  const names: string[] = [];
  for await (const { header, skip } of readMembers(packMounts(mounts, { uid: 7, gid: 8 }))) {
    names.push(`${header.type} ${header.name} ${header.uid}`);
    skip();
  }
  expect(names).toEqual([
    "directory tmp/ 0",
    "directory tmp/job/ 7",
    "directory tmp/job/deep/ 7",
    "file tmp/job/deep/file 7",
  ]);
  const only = [{ ...mounts[0], target: "/job" } as (typeof mounts)[0]];
  const other = join(folder, "other");
  mkdirSync(other);
  await unpackFolder(packMounts(only, { uid: 0, gid: 0 }), other, ROOMY);
  expect(readFileSync(join(other, "deep/file"), "utf8")).toBe("text");
});

test("what was there is replaced", async () => {
  writeFileSync(join(into, "old"), "old");
  await unpackFolder(archive({ name: "job/new/", type: "directory" }), into, ROOMY);
  expect(readdirSync(into)).toEqual(["new"]);
});

test.each(["job/../../escaped", "../escaped", "job/a/../../../escaped"])("no name leads outside: %s", async (name) => {
  const hostile = archive({ name, type: "file", size: 0 });
  await expect(unpackFolder(hostile, into, ROOMY)).rejects.toMatchObject({ code: "INTERNAL" });
  expect(existsSync(join(folder, "escaped"))).toBe(false);
});

test("links and devices are left out, and nothing goes through them", async () => {
  const hostile = archive(
    { name: "job/link", type: "symlink", linkname: folder },
    { name: "job/hard", type: "link", linkname: "/etc/passwd" },
    { name: "job/pipe", type: "fifo" },
    { name: "job/link/file", type: "file", size: 0 },
  );
  await unpackFolder(hostile, into, ROOMY);
  expect(existsSync(join(folder, "file"))).toBe(false);
  expect(readdirSync(into)).toEqual(["link"]);
  expect(readdirSync(join(into, "link"))).toEqual(["file"]);
});

test("what was mounted inside is not taken back", async () => {
  const back = archive({ name: "job/in/file", type: "file", size: 0 }, { name: "job/out", type: "file", size: 0 });
  expect(await unpackFolder(back, into, ROOMY, new Set(["in/file"]))).toEqual({ bytes: 0, files: 1 });
  expect(readdirSync(into)).toEqual(["out"]);
});

test("beyond the limits nothing more is read", async () => {
  const many = archive(
    ...Array.from({ length: 50 }, (_, n) => ({ name: `job/f${n}`, type: "file" as const, size: 0 })),
  );
  expect(await unpackFolder(many, into, { bytes: 10, files: 20 })).toEqual({ bytes: 0, files: 21 });
  expect(readdirSync(into)).toHaveLength(20);
});
