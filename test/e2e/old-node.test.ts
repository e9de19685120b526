import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, it } from "vitest";
import { SLUICE_BIN } from "../support/server.ts";

/** What this machine has besides the Node that runs this. */
const old = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .filter((path) => existsSync(path))
  .find(
    (path) => Number.parseInt(spawnSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout, 10) < 24,
  );

it.skipIf(old === undefined)("an older Node is told so in a sentence (skipped where there is none)", () => {
  const { status, stdout, stderr } = spawnSync(old ?? "", [SLUICE_BIN, "--version"], { encoding: "utf8" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(
    /^sluice: NODE_TOO_OLD: Node [\d.]+ is too old: Sluice needs Node 24; in Sluice's own folder "npx sluice" brings it\n$/,
  );
});
