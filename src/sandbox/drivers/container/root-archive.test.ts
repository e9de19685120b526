import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readMembers } from "./archives.ts";
import { packRoot } from "./root-archive.ts";

let folder: string;
let layers: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-root-"));
  layers = ["low", "high"].map((name) => join(folder, name));
  for (const layer of layers) mkdirSync(layer);
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(layer: number, path: string, text = ""): string {
  const file = join(layers[layer] ?? "", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

async function shown(folders: readonly string[] = []): Promise<Record<string, string>> {
  const members: Record<string, string> = {};
  for await (const { header, body } of readMembers(packRoot({ layers, uid: 5, gid: 6, folders }))) {
    let text = "";
    for await (const piece of body) text += Buffer.from(piece).toString();
    expect([header.uid, header.gid]).toEqual([5, 6]);
    members[header.name] = header.type === "file" ? text : `${header.type} ${header.linkname ?? ""}`.trim();
  }
  return members;
}

test("layers are merged, the higher one first; links stay links", async () => {
  put(0, "etc/both", "low");
  put(0, "etc/low", "low");
  put(1, "etc/both", "high");
  const first = put(0, "usr/one", "same");
  linkSync(first, join(layers[0] ?? "", "usr/two"));
  symlinkSync("../etc", join(layers[1] ?? "", "usr-etc"));
  put(0, "replaced/inside", "hidden");
  put(1, "replaced", "a file now");
  expect(await shown(["/srv/data"])).toEqual({
    "etc/": "directory",
    "etc/both": "high",
    "etc/low": "low",
    "usr/": "directory",
    "usr/one": "same",
    "usr/two": "link usr/one",
    "usr-etc": "symlink ../etc",
    replaced: "a file now",
    "srv/": "directory",
    "srv/data/": "directory",
  });
});

describe.runIf(process.geteuid?.() === 0)("whiteouts", () => {
  test("hide what lies below", async () => {
    put(0, "gone/inside");
    put(0, "kept");
    execFileSync("mknod", [join(layers[1] ?? "", "gone"), "c", "0", "0"]);
    expect(await shown()).toEqual({ kept: "" });
  });
});

test("a name that is no UTF-8 is refused, not changed", async () => {
  writeFileSync(Buffer.concat([Buffer.from(`${layers[0]}/`), Buffer.from([0xff, 0x41])]), "");
  await expect(shown()).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
});
