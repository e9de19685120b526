import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { growthFactor } from "./young-generation.ts";

const MIB = 1024 * 1024;

test.each([
  [1 * MIB, 2],
  [8 * MIB - 1, 2],
  [8 * MIB, 1],
  [64 * MIB, 1],
])("at %i bytes the factor is %i", (bytes, factor) => {
  expect(growthFactor(bytes)).toBe(factor);
});

/** Makes garbage for a while, of which a part outlives a collection, and prints the most that the young generation had. */
const LOAD = `
  import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
  setFlagsFromString("--semi-space-growth-factor=1");
  let most = 0;
  const kept = [];
  if (process.argv[1] !== "") (await import(process.argv[1])).boundYoungGeneration();
  for (let turn = 0; turn < 250; turn++) {
    for (let n = 0; n < 4000; n++) kept.push({ n, text: [turn, n] });
    kept.splice(0, Math.max(0, kept.length - 60_000));
    await new Promise(setImmediate);
    most = Math.max(most, getHeapSpaceStatistics().find((each) => each.space_name === "new_space").space_size);
  }
  console.log(most);
`;

const mostUnderLoad = (module: string): number =>
  Number(execFileSync(process.execPath, ["--input-type=module", "-e", LOAD, module], { encoding: "utf8" }));

test("under load it grows, and not beyond", () => {
  const module = fileURLToPath(new URL("young-generation.ts", import.meta.url));
  const [left, bounded] = [mostUnderLoad(""), mostUnderLoad(module)];
  expect(left).toBeLessThan(6 * MIB);
  expect(bounded).toBeGreaterThanOrEqual(8 * MIB);
  expect(bounded).toBeLessThan(12 * MIB);
});
