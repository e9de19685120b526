import { lstatSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LayerStack } from "./testing/layer-stack.ts";
import { file, folder, hardLink, pax, symlinkTo, tarMember } from "./testing/make-tar.ts";

let stack: LayerStack;
beforeEach(() => {
  stack = new LayerStack();
});
afterEach(() => stack.remove());

const opaque = (path: string): Buffer => file(`${path}/.wh..wh..opq`);

describe("a layer over others holds only", () => {
  it.each<[string, Buffer[], Buffer[], { own: string[]; merged: string[] }]>([
    [
      "what it brings, and the folders on the way",
      [folder("a/b"), file("a/x"), file("a/b/y")],
      [file("a/b/z")],
      { own: ["a/", "a/b/", "a/b/z"], merged: ["a/", "a/b/", "a/b/y", "a/b/z", "a/x"] },
    ],
    [
      "a whiteout for what it removes",
      [file("a/x"), file("a/y"), file("b/z")],
      [file("a/.wh.x"), file(".wh.b")],
      { own: ["a/", "a/x!", "b!"], merged: ["a/", "a/y"] },
    ],
    [
      "no whiteout for what was never there",
      [file("a/x")],
      [file("a/.wh.y"), file(".wh.c")],
      { own: [], merged: ["a/", "a/x"] },
    ],
    [
      "whiteouts for all that an opaque folder had",
      [file("a/x"), file("a/s/y"), file("a/t/z")],
      [opaque("a"), file("a/s/new")],
      { own: ["a/", "a/s/", "a/s/new", "a/s/y!", "a/t!", "a/x!"], merged: ["a/", "a/s/", "a/s/new"] },
    ],
    [
      "whiteouts below a folder that comes after its own whiteout",
      [file("a/x"), file("a/s/y")],
      [file(".wh.a"), folder("a"), file("a/new"), file("a/s/z")],
      { own: ["a/", "a/new", "a/s/", "a/s/y!", "a/s/z", "a/x!"], merged: ["a/", "a/new", "a/s/", "a/s/z"] },
    ],
    [
      "whiteouts below a folder that was a file in between",
      [file("a/x")],
      [file("a", "file"), folder("a")],
      { own: ["a/", "a/x!"], merged: ["a/"] },
    ],
    [
      "a folder in the place of a file",
      [file("a")],
      [folder("a"), file("a/x")],
      { own: ["a/", "a/x"], merged: ["a/", "a/x"] },
    ],
    ["a file in the place of a folder", [file("a/x")], [file("a")], { own: ["a"], merged: ["a"] }],
    [
      "the same, with marks for what was in the folder, as umoci writes them",
      [file("a/x"), file("a/s/y")],
      [file("a"), file("a/.wh.x"), file("a/.wh.s"), file("a/.wh..wh..opq")],
      { own: ["a"], merged: ["a"] },
    ],
    [
      "nothing but a whiteout where a device replaces a file",
      [file("a/x")],
      [tarMember("a/x", { flag: "3" })],
      { own: ["a/", "a/x!"], merged: ["a/"] },
    ],
    [
      "the folder that a device was put in, whose own mark spares it",
      [file("a/x"), file("a/y")],
      [tarMember("a/x", { flag: "3" }), file(".wh.a")],
      { own: ["a/", "a/x!", "a/y!"], merged: ["a/"] },
    ],
    [
      "the whiteout, when the folder of another whiteout goes itself",
      [file("a/x"), file("a/y")],
      [file("a/.wh.x"), file(".wh.a")],
      { own: ["a!"], merged: [] },
    ],
    [
      "what is put where a link of a parent leads",
      [folder("usr/lib"), symlinkTo("lib", "usr/lib")],
      [file("lib/a.so")],
      { own: ["usr/", "usr/lib/", "usr/lib/a.so"], merged: ["lib", "usr/", "usr/lib/", "usr/lib/a.so"] },
    ],
    [
      "a copy of a parent's file that it links to",
      [file("a", "bytes", 0o755)],
      [hardLink("b", "a")],
      { own: ["b"], merged: ["a", "b"] },
    ],
  ])("%s", async (_what, below, above, { own, merged }) => {
    await stack.apply(...below);
    await stack.apply(...above);
    expect({ own: stack.ownTree(), merged: stack.tree() }).toEqual({ own, merged });
  });

  it("folders with the mode and time that the parent's have", async () => {
    await stack.apply(folder("a", 0o700), pax({ mtime: "1000" }), folder("a/b", 0o500));
    await stack.apply(file("a/b/x"));
    const own = statSync(join(stack.layers[1] ?? "", "a/b"));
    expect([own.mode & 0o7777, own.mtimeMs]).toEqual([0o775, 1_000_000]);
  });

  it("copies with bytes, mode and time of the parent's, and copies of its links", async () => {
    await stack.apply(pax({ mtime: "1000" }), file("a", "bytes", 0o500), symlinkTo("l", "nowhere"));
    await stack.apply(hardLink("b", "a"), hardLink("k", "l"));
    const copy = statSync(join(stack.root, "b"));
    expect([stack.read("b"), copy.mode & 0o7777, copy.mtimeMs, copy.nlink]).toEqual(["bytes", 0o555, 1_000_000, 2]);
    expect(readlinkSync(join(stack.root, "k"))).toBe("nowhere");
  });

  it("one whiteout by many names", async () => {
    await stack.apply(file("a"), file("b"), file("c"));
    await stack.apply(file(".wh.a"), file(".wh.b"), file(".wh.c"));
    const inodes = ["a", "b", "c"].map((name) => lstatSync(join(stack.layers[1] ?? "", name)).ino);
    expect(new Set(inodes).size).toBe(1);
  });
});

describe("nothing outside of a layer is written, with parents, by", () => {
  it.each<[string, Buffer[], Buffer[], string[] | null]>([
    [
      "a parent's link that leads out",
      [symlinkTo("l", "../outside")],
      [file("l/victim", "x")],
      ["l", "outside/", "outside/victim"],
    ],
    [
      "a parent's absolute link",
      [symlinkTo("l", "/../outside")],
      [file("l/victim", "x")],
      ["l", "outside/", "outside/victim"],
    ],
    ["a file over a parent's link", [symlinkTo("l", "../outside/victim")], [file("l", "x")], ["l"]],
    [
      "a folder over a parent's link",
      [symlinkTo("l", "../outside")],
      [folder("l", 0o777), file("l/victim", "x")],
      ["l/", "l/victim"],
    ],
    ["a whiteout behind a parent's link", [symlinkTo("l", "../outside")], [file("l/.wh.victim")], ["l"]],
    ["an opaque mark behind a parent's link", [symlinkTo("l", "../outside")], [opaque("l")], ["l"]],
    ["a hard link behind a parent's link", [symlinkTo("l", "../outside")], [hardLink("h", "l/victim")], null],
    [
      "a hard link to a parent's link, and a file through it",
      [symlinkTo("l", "../outside/victim")],
      [hardLink("h", "l"), file("h", "x")],
      ["h", "l"],
    ],
    ["a hard link to what is hidden", [file("a/x", "secret")], [file("a/.wh.x"), hardLink("h", "a/x")], null],
    [
      "a hard link to what a folder hides",
      [file("a/x", "secret")],
      [file(".wh.a"), folder("a"), hardLink("h", "a/x")],
      null,
    ],
    [
      "a parent's link that the layer's own link completes",
      [symlinkTo("a", "b/outside")],
      [symlinkTo("b", ".."), file("a/victim", "x")],
      ["a", "b", "outside/", "outside/victim"],
    ],
    [
      "a link that takes a parent's folder's place",
      [file("a/victim", "old")],
      [symlinkTo("a", "../outside"), file("a/victim", "x")],
      ["a", "outside/", "outside/victim"],
    ],
    [
      "a link in the place of a folder that was put on the way",
      [file("a/outside/y")],
      [file("a/outside/victim", "x"), symlinkTo("a", ".."), file("a/outside/victim", "x")],
      ["a", "outside/", "outside/victim"],
    ],
    [
      "a link between the layers' folders",
      [folder("x")],
      [symlinkTo("l", "../layer-0/x"), file("l/y", "x")],
      ["l", "layer-0/", "layer-0/x/", "layer-0/x/y", "x/"],
    ],
    ["a name of the layer below", [folder("x")], [file("../layer-0/x/y")], null],
    ["a whiteout of the layer below", [folder("x")], [file("../.wh.layer-0")], null],
    ["a hard link to its own folder's content", [file("a/x")], [file("a/y"), hardLink("a", "a/y")], null],
    ["a hard link to what its own folder has of a parent", [file("a/b/x")], [hardLink("a", "a/b/x")], null],
    [
      "a link to the whiteout's own place",
      [file("w")],
      [file(".wh.w"), symlinkTo("l", "../meta-1/whiteout-1"), file("l", "x")],
      ["l"],
    ],
    ["a file through the whiteout", [file("w")], [file(".wh.w"), file("w", "x")], ["w"]],
    ["a file below a parent's file", [file("a")], [file("a/x")], null],
    ["links in a circle over two layers", [symlinkTo("a", "b")], [symlinkTo("b", "a"), file("a/x")], null],
    [
      "a device in the place of a parent's link",
      [symlinkTo("l", "../outside/victim")],
      [tarMember("l", { flag: "4" })],
      [],
    ],
  ])("%s", async (_what, below, above, left) => {
    await stack.apply(...below);
    if (left === null) await expect(stack.apply(...above)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    else {
      await stack.apply(...above);
      expect(stack.tree()).toEqual(left);
    }
    stack.outsideIsSafe();
  });
});
