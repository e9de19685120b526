import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { overwriteFile } from "../lib/overwrite-file.ts";
import { giveFolder, takeFolderBack } from "./work-folder.ts";

/** Since Linux 6.13 times of changes are fine. */
const hasFineClock =
  release()
    .split(".", 2)
    .map(Number)
    .reduce((major, minor) => major * 1000 + minor) >= 6013;
const USER = process.geteuid?.() === 0 ? { uid: 200_255, gid: 200_000 } : null;
const FOLDERS = ["in", "out", "tmp"];
const FILES = ["script", "event.json"];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/sluice-work-`);
  for (const name of FOLDERS) mkdirSync(`${folder}/${name}`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const give = () => giveFolder(folder, USER, `${folder}/out`, [...FOLDERS, ...FILES]);

test("of a folder that is used again and again all is known that nobody changes", async () => {
  const ROUNDS = 50;
  let whole = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of FILES) overwriteFile(`${folder}/${name}`, `round ${round}`);
    const given = await give();
    const { untouched } = await takeFolderBack(folder, USER, given);
    // The output is given once more at the end, and so is never untouched.
    const known = [...given.times.keys()].filter((name) => name !== "out");
    expect([...untouched].toSorted()).toEqual(known.toSorted());
    if (known.length === 1 + FOLDERS.length - 1 + FILES.length) whole += 1;
    rmdirSync(`${folder}/out`);
    mkdirSync(`${folder}/out`);
  }
  // Now and then the coarse clock goes on in between.
  if (hasFineClock) expect(whole).toBeGreaterThan(ROUNDS / 2);
});

test("what changes right after it was given is never taken for untouched", async () => {
  for (let round = 0; round < 50; round++) {
    for (const name of FILES) overwriteFile(`${folder}/${name}`, `round ${round}`);
    const given = await give();
    writeFileSync(`${folder}/script`, `round ${round}`);
    mkdirSync(`${folder}/tmp/${round}`);
    const { untouched } = await takeFolderBack(folder, USER, given);
    expect([untouched.has("script"), untouched.has("tmp")]).toEqual([false, false]);
  }
});
