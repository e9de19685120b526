import { lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxBench } from "../../testing/sandbox-bench.ts";

let bench: SandboxBench;
beforeAll(async () => {
  bench = await SandboxBench.open("bubblewrap");
});
afterAll(() => bench.close());

const FOLDERS = ["folder", "out", "folder/deep"];
const FILES = ["file", "folder/held", "folder/deep/low"];

/** A work folder whose entries the driver is told, after the scripts, which ran one after the other. */
async function after(...scripts: string[]) {
  const workFolder = bench.workFolder();
  for (const name of FOLDERS) mkdirSync(`${workFolder}/${name}`);
  for (const name of FILES) writeFileSync(`${workFolder}/${name}`, "text");
  const options = { outputFolder: `${workFolder}/out`, workEntries: [...FOLDERS, ...FILES] };
  const instance = await bench.sandbox.create(bench.spec(workFolder, options));
  try {
    for (const script of scripts) expect(await bench.runIn(instance, script)).toMatchObject({ exitCode: 0 });
  } finally {
    await instance.destroy();
  }
  return { workFolder, untouched: instance.untouched() };
}

/** Modes of everything in the folder, by path; each must belong to the server. */
function modesOf(workFolder: string): Record<string, string> {
  const paths = readdirSync(workFolder, { recursive: true, encoding: "utf8" }).toSorted();
  return Object.fromEntries(
    paths.map((path) => {
      const stats = lstatSync(`${workFolder}/${path}`);
      expect(stats.uid, path).toBe(process.geteuid?.());
      return [path, stats.isSymbolicLink() ? "link" : (stats.mode & 0o7777).toString(8)];
    }),
  );
}

const ALL_AS_MADE = {
  file: "600",
  folder: "700",
  "folder/deep": "700",
  "folder/deep/low": "600",
  "folder/held": "600",
  out: "700",
};

test("the script may write everywhere that was listed", async () => {
  const { workFolder } = await after(
    "for f in file folder/held folder/deep/low; do echo x >$f; done; : >folder/deep/n",
  );
  expect(modesOf(workFolder)).toEqual({ ...ALL_AS_MADE, "folder/deep/n": "600" });
});

test.each([
  ["nothing", "true", {}],
  ["outputs", "echo x >out/a; mkdir out/b; echo y >out/b/c", { "out/a": "600", "out/b": "700", "out/b/c": "600" }],
  ["rights of files in folders that keep their names", "chmod 6777 folder/held folder/deep/low; chmod 000 file", {}],
  [
    "new names",
    "cp file folder/deep/new; : >folder/n; : >n",
    { "folder/deep/new": "600", "folder/n": "600", n: "600" },
  ],
  ["a folder in a listed one's place", "mv out o; mkdir out; : >out/x", { o: "700", "out/x": "600" }],
])("all of it comes back to the server after a script changed %s", async (_, script, more) => {
  const { workFolder } = await after(script);
  expect(modesOf(workFolder)).toEqual({ ...ALL_AS_MADE, ...more });
});

test("a link in a folder's place leads no later run outside", async () => {
  const outside = bench.workFolder();
  writeFileSync(`${outside}/held`, "not the script's");
  const before = statSync(`${outside}/held`, { bigint: true });
  const { workFolder } = await after(`mv folder f; ln -s ${outside} folder`, "true");
  expect(modesOf(workFolder)).toMatchObject({ folder: "link", "f/held": "600" });
  expect(statSync(`${outside}/held`, { bigint: true }).ctimeNs).toBe(before.ctimeNs);
});

/** Since Linux 6.13 an inode that was looked at gets a fine time for its next change, except in the moment when the coarse clock has gone on. */
const hasFineClock =
  release()
    .split(".", 2)
    .map(Number)
    .reduce((major, minor) => major * 1000 + minor) >= 6013;
const TRIES = 20;

test("what is untouched is told as without the list", async () => {
  const told: string[] = [];
  for (let tries = 0; tries < (hasFineClock ? TRIES : 1) && told.length < 3; tries++) {
    const { untouched } = await after("echo x >out/new; chmod 644 folder/held");
    expect(["", "file", "folder"]).toEqual(expect.arrayContaining([...untouched]));
    told.splice(0, told.length, ...untouched);
  }
  if (hasFineClock) expect(told.toSorted()).toEqual(["", "file", "folder"]);
});
