import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { debianLayer, writeLayout } from "./support/images.ts";
import { listHere, tagOnlyImage, treeLines, umoci, unpackByUmoci } from "./support/tree.ts";
import { treeInJob } from "./support/tree-in-job.ts";

/** Of the root the sandbox makes `/etc`'s network files, `/dev`, `/proc`, `/sys`, `/run` and `/tmp` itself. */
const FOLDERS = ["usr", "var/lib", "bin", "lib", "opt", "root"];

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-debian-"));
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

// Thousands of marks, in a hundred folders.
const SLIM = `
rm -r usr/share/doc usr/share/locale/d* usr/share/man
mkdir usr/share/doc
echo slim >usr/share/doc/slim
find usr/share/zoneinfo -name "*a*" -type f -delete
find usr/bin -type l -name "[x-z]*" -delete
`;

it("Debian, made slim in an upper layer: each of its files as umoci unpacks it", async () => {
  const layout = join(folder, "layout");
  const bundle = join(folder, "bundle");
  writeLayout(layout, [debianLayer()]);
  tagOnlyImage(layout, "whole");
  execFileSync("sh", ["-ec", SLIM], { cwd: unpackByUmoci(`${layout}:whole`, bundle) });
  umoci("repack", "--image", `${layout}:slim`, bundle);
  rmSync(bundle, { recursive: true });
  const expected = treeLines(listHere(unpackByUmoci(`${layout}:slim`, bundle), FOLDERS, ["sh"]));
  expect(expected.length).toBeGreaterThan(5000);
  expect(expected.join("\n")).toContain("'usr/share/doc/slim'");
  expect(await treeInJob(server, `file:${layout}:slim`, FOLDERS)).toEqual(expected);
});
