import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

/** Megabytes of a new process's young generation: held small under load, and after it may grow. */
const PROGRAM = `
  import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
  import { letYoungGenerationGrow } from ${JSON.stringify(new URL("./young-generation.ts", import.meta.url))};
  const megabytes = () => getHeapSpaceStatistics().find((space) => space.space_name === "new_space").space_size / 2 ** 20;
  const load = () => {
    for (let round = 0; round < 20; round++) Array.from({ length: 50_000 }, (_, n) => ({ n, list: [n] }));
  };
  setFlagsFromString("--semi-space-growth-factor=1");
  load();
  const held = megabytes();
  letYoungGenerationGrow();
  load();
  console.log(JSON.stringify([held, megabytes()]));`;

it("stays small until it may grow", () => {
  const stdout = execFileSync(process.execPath, ["--input-type=module", "--eval", PROGRAM], { encoding: "utf8" });
  const [held, grown] = JSON.parse(stdout);
  expect(held).toBe(2);
  expect(grown).toBeGreaterThan(4);
});
