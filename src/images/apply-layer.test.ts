import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AppliedLayer } from "./apply-layer.ts";
import { LayerStack } from "./testing/layer-stack.ts";
import { endOfTar, file, folder, hardLink, pax, symlinkTo, tarMember } from "./testing/make-tar.ts";

let stack: LayerStack;
beforeEach(() => {
  stack = new LayerStack();
});
afterEach(() => stack.remove());

const apply = (...members: Buffer[]): Promise<AppliedLayer> => stack.apply(...members);

describe("a layer", () => {
  it("becomes files, folders and links with their modes and times", async () => {
    const applied = await apply(
      folder("./bin/", 0o750),
      file("bin/tool", "#!", 0o4711),
      file("etc/secret", "s", 0o600),
      symlinkTo("usr/bin", "../bin"),
      hardLink("bin/alias", "bin/tool"),
    );
    // Two files of a block; seven names, of which two are folders that no member names.
    expect(applied).toEqual({ members: 5, bytes: 3, diskBytes: 9 * 4096, leftOut: 0 });
    expect(stack.tree()).toEqual(["bin/", "bin/alias", "bin/tool", "etc/", "etc/secret", "usr/", "usr/bin"]);
    expect(stack.read("usr/bin/tool")).toBe("#!");
    expect([stack.mode("bin"), stack.mode("bin/tool"), stack.mode("etc/secret")]).toEqual([0o775, 0o775, 0o664]);
    expect(statSync(join(stack.root, "bin/tool")).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(stack.root, "bin")).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(stack.root, "bin/alias")).ino).toBe(statSync(join(stack.root, "bin/tool")).ino);
  });

  it("a pax record without a value takes back what was said of all members", async () => {
    await stack.apply(pax({ path: "everywhere" }, "g"), pax({ path: "" }), file("here"));
    expect(stack.tree()).toEqual(["here"]);
  });

  it("a sparse file whose map would be lost is refused", async () => {
    const first = pax({ "GNU.sparse.numblocks": "1", "GNU.sparse.size": "8192" });
    await expect(stack.apply(first, file("sparse", "x"))).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("is read as GNU tar writes it, in each of its formats", async () => {
    mkdirSync(join(stack.base, "in", "deep".repeat(30), "folder"), { recursive: true });
    writeFileSync(join(stack.base, "in", "deep".repeat(30), "folder", `${"n".repeat(200)}é.txt`), "long");
    writeFileSync(join(stack.base, "in", "empty"), "");
    symlinkSync("deep/".repeat(40), join(stack.base, "in", "far"));
    execFileSync("truncate", ["-s", "5M", join(stack.base, "in", "sparse")]);
    execFileSync("dd", [
      "if=/dev/zero",
      `of=${join(stack.base, "in", "sparse")}`,
      "bs=4096",
      "count=1",
      "seek=700",
      "conv=notrunc",
      "status=none",
    ]);
    writeFileSync(join(stack.base, "in", "sparse"), "middle", { flag: "r+" });
    for (const options of [
      ["--format=gnu", "-S"],
      ["--format=pax", "-S", "--sparse-version=1.0"],
      ["--format=pax", "-S", "--sparse-version=0.1"],
      ["--format=pax"],
    ]) {
      stack.clear();
      const archive = execFileSync("tar", ["-C", join(stack.base, "in"), ...options, "-cf", "-", "."], {
        maxBuffer: 20_000_000,
      });
      await stack.applyArchive(archive);
      const differences = execFileSync("diff", ["-r", "--no-dereference", join(stack.base, "in"), stack.root], {
        encoding: "utf8",
      });
      expect([options.join(" "), differences]).toEqual([options.join(" "), ""]);
      if (options.includes("-S")) expect(statSync(join(stack.root, "sparse")).blocks * 512).toBeLessThan(1_000_000);
    }
    rmSync(join(stack.base, "in"), { recursive: true });
  });

  it("replaces what layers before it left, whatever it was", async () => {
    await apply(file("a", "file"), folder("b"), file("b/inside", "x"), symlinkTo("c", "a"), hardLink("d", "a"));
    await apply(folder("a"), file("b", "now a file"), file("c", "no link"), file("d", "other"));
    expect(stack.tree()).toEqual(["a/", "b", "c", "d"]);
    expect([stack.read("b"), stack.read("c"), stack.read("d")]).toEqual(["now a file", "no link", "other"]);
  });

  it("hides by whiteouts, and by opaque folders only what was there before", async () => {
    await apply(
      file("keep/a"),
      file("keep/b"),
      file("drop/a"),
      file("drop/sub/b"),
      file("drop/later/old"),
      file("gone/x"),
    );
    await apply(
      file("keep/.wh.a"),
      file("drop/new", "1"),
      file("drop/.wh..wh..opq"),
      file("drop/later/x", "2"),
      file(".wh.gone"),
      file(".wh.never"),
      file(".wh..wh.aufs"),
    );
    expect(stack.tree()).toEqual(["drop/", "drop/later/", "drop/later/x", "drop/new", "keep/", "keep/b"]);
  });

  it("hides nothing that it brings itself, whatever comes first", async () => {
    await apply(file("a", "old"), file("d/old"), file("d/sub/old"));
    await apply(file("a", "new"), file(".wh.a"), file("d/sub/new"), file(".wh.d"), file("e/x"), file("e/.wh..wh..opq"));
    expect(stack.tree()).toEqual(["a", "d/", "d/sub/", "d/sub/new", "e/", "e/x"]);
    expect(stack.read("a")).toBe("new");
  });

  it("follows links of the image inside the image", async () => {
    await apply(
      folder("usr/lib"),
      symlinkTo("lib", "/usr/lib"),
      symlinkTo("deep/up", "../../../../usr"),
      file("lib/a.so", "1"),
      file("deep/up/lib/b.so", "2"),
    );
    expect(stack.tree()).toContain("usr/lib/a.so");
    expect(stack.read("usr/lib/b.so")).toBe("2");
    stack.outsideIsSafe();
  });

  it("keeps names that are not UTF-8, and leaves devices and FIFOs out", async () => {
    const applied = await apply(
      file("caf\xe9", "1"),
      tarMember("null", { flag: "3" }),
      tarMember("pipe", { flag: "6" }),
      tarMember("sda", { flag: "4" }),
    );
    expect(applied.leftOut).toBe(3);
    expect(readdirSync(stack.root, { encoding: "buffer" })).toEqual([Buffer.from("caf\xe9", "latin1")]);
  });

  it("takes times that no date has", async () => {
    await apply(
      pax({ mtime: "-5.5" }),
      file("old"),
      pax({ mtime: "1e300" }),
      file("late"),
      pax({ mtime: "nan" }),
      file("none"),
    );
    expect(stack.tree()).toEqual(["late", "none", "old"]);
  });
});

describe("nothing is written outside the root by", () => {
  it.each<[string, Buffer[], string[] | null]>([
    ["an absolute name", [file("/etc/passwd", "x")], ["etc/", "etc/passwd"]],
    ["a name that goes up", [file("../outside/victim", "x")], null],
    ["a name that goes up in its middle", [file("a/../../outside/victim", "x")], null],
    ["a folder that goes up", [folder("../outside")], null],
    [
      "a file through an absolute link",
      [symlinkTo("l", "/outside"), folder("outside"), file("l/victim", "x")],
      ["l", "outside/", "outside/victim"],
    ],
    [
      "a file through a link that goes up",
      [symlinkTo("l", "../outside"), file("l/victim", "x")],
      ["l", "outside/", "outside/victim"],
    ],
    [
      "a file through links that go up one by one",
      [symlinkTo("a", ".."), symlinkTo("b", "a/.."), symlinkTo("c", "b/outside"), file("c/victim", "x")],
      ["a", "b", "c", "outside/", "outside/victim"],
    ],
    ["a file over a link", [symlinkTo("victim", "../outside/victim"), file("victim", "x")], ["victim"]],
    [
      "a folder over a link, and a file in it",
      [symlinkTo("l", "../outside"), folder("l"), file("l/victim", "x")],
      ["l/", "l/victim"],
    ],
    ["a whiteout through a link", [symlinkTo("l", "../outside"), file("l/.wh.victim")], ["l"]],
    ["an opaque mark through a link", [symlinkTo("l", "../outside"), file("l/.wh..wh..opq")], ["l"]],
    ["a whiteout of the folder above", [folder("a"), file("a/.wh...")], null],
    ["a whiteout of the folder itself", [folder("a"), file("a/.wh..")], null],
    ["a whiteout of nothing", [file("a/.wh.")], null],
    ["a hard link that goes up", [hardLink("stolen", "../outside/victim")], null],
    ["a hard link through a link", [symlinkTo("l", "../outside"), hardLink("stolen", "l/victim")], null],
    ["a hard link to an absolute name", [hardLink("stolen", "/etc/hostname")], null],
    [
      "a hard link to a link that leads out, and a file over it",
      [symlinkTo("l", "../outside/victim"), hardLink("h", "l"), file("h", "x")],
      ["h", "l"],
    ],
    ["a hard link to a folder", [folder("a"), hardLink("h", "a")], null],
    ["a hard link to nothing", [hardLink("h", "none")], null],
    ["links in a circle", [symlinkTo("a", "b"), symlinkTo("b", "a"), file("a/x", "x")], null],
    ["a link to itself", [symlinkTo("a", "a"), file("a/x", "x")], null],
    ["a file below a file", [file("a", "x"), file("a/b", "x")], null],
    [
      "a folder whose mode is set when a link has taken its place",
      [folder("a/b"), file(".wh.a"), symlinkTo("a", "../outside")],
      ["a"],
    ],
    [
      "a folder whose parent a link has taken the place of",
      [folder("a/outside", 0o777), file(".wh.a"), symlinkTo("a", "..")],
      ["a"],
    ],
    ["a pax name that goes up", [pax({ path: "../outside/victim" }), file("ok", "x")], null],
    ["a pax link that goes up", [pax({ linkpath: "../outside/victim" }), hardLink("h", "ok")], null],
    [
      "a long name that goes up",
      [tarMember("././@LongLink", { flag: "L", body: `${"a/".repeat(60)}../../outside/victim\0` }), file("ok", "x")],
      null,
    ],
    ["a name with a NUL", [pax({ path: "a\0b" }), file("ok", "x")], null],
    ["a part that is too long", [pax({ path: `${"n".repeat(256)}/x` }), file("ok", "x")], null],
    ["a path that is too long", [pax({ path: "n/".repeat(2100) }), file("ok", "x")], null],
    ["the root's own name", [folder("./", 0o000), file("a", "x")], ["a"]],
    ["a whiteout of the root's children by dots", [file("a", "x"), file("./.wh..wh..opq")], ["a"]],
  ])("%s", async (_what, members, left) => {
    if (left === null) await expect(apply(...members)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    else {
      await apply(...members);
      expect(stack.tree()).toEqual(left);
    }
    stack.outsideIsSafe();
  });
});

describe("what is no archive is refused:", () => {
  it.each<[string, () => Buffer]>([
    ["a wrong checksum", () => tarMember("a", { badSum: true })],
    ["a header that is cut off", () => file("a", "x").subarray(0, 300)],
    ["a body that is cut off", () => file("a", "x".repeat(2000)).subarray(0, 1000)],
    ["a size that is no number", () => tarMember("a", { header: (block) => block.write("zzz", 124) })],
    ["a negative size", () => tarMember("a", { header: (block) => block.fill(0xff, 124, 136) })],
    [
      "a size beyond all numbers",
      () => tarMember("a", { header: (block) => block.fill(0xff, 125, 136).writeUInt8(0x80, 124) }),
    ],
    ["an unknown type", () => tarMember("a", { flag: "Z" })],
    ["a pax record without an end", () => tarMember("p", { flag: "x", body: "99 path=x\n" })],
    ["a pax record without a length", () => tarMember("p", { flag: "x", body: "path=x\n" })],
    ["a pax header of 2 MiB", () => tarMember("p", { flag: "x", body: "x".repeat(2 * 1024 * 1024) })],
    ["a pax size that is no number", () => Buffer.concat([pax({ size: "-1" }), file("a", "x")])],
    [
      "a sparse map that overlaps",
      () =>
        Buffer.concat([pax({ "GNU.sparse.map": "0,10,5,10", "GNU.sparse.size": "100" }), file("a", "x".repeat(20))]),
    ],
    [
      "a sparse map beyond its file",
      () => Buffer.concat([pax({ "GNU.sparse.map": "90,20", "GNU.sparse.size": "100" }), file("a", "x".repeat(20))]),
    ],
    [
      "a sparse map beyond its data",
      () => Buffer.concat([pax({ "GNU.sparse.map": "0,90", "GNU.sparse.size": "100" }), file("a", "x")]),
    ],
    [
      "a sparse file of 2 TiB",
      () => Buffer.concat([pax({ "GNU.sparse.map": "0,1", "GNU.sparse.size": String(2 * 1024 ** 4) }), file("a", "x")]),
    ],
    ["text", () => Buffer.from("this is no archive".repeat(100))],
  ])("%s", async (_what, archive) => {
    const bytes = archive();
    await expect(
      stack.applyArchive(
        Buffer.concat([bytes, endOfTar]).subarray(0, bytes.length % 512 === 0 ? undefined : bytes.length),
      ),
    ).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    stack.outsideIsSafe();
  });

  it("more bytes or members than allowed", async () => {
    await expect(stack.applyArchive(file("a", "x".repeat(100)), { maxBytes: 99, maxMembers: 9 })).rejects.toThrow(
      "limit",
    );
    await expect(
      stack.applyArchive(Buffer.concat([folder("a"), folder("b")]), { maxBytes: 99, maxMembers: 1 }),
    ).rejects.toThrow("limit");
    // One member makes many folders, or hides many names.
    const deep = file(`${"deep/".repeat(19)}x`);
    for (const limits of [
      { maxBytes: 1e6, maxMembers: 15 },
      { maxBytes: 15 * 4096, maxMembers: 1000 },
    ])
      await expect(stack.applyArchive(deep, limits)).rejects.toThrow("limit");
    await stack.apply(...Array.from({ length: 30 }, (_, at) => file(`m/${at}`)));
    await expect(stack.applyArchive(file("m/.wh..wh..opq"), { maxBytes: 1e6, maxMembers: 20 })).rejects.toThrow(
      "limit",
    );
  });
});
