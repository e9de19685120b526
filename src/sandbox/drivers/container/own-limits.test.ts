import { expect, test } from "vitest";
import { ownLimits } from "./own-limits.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             1000                 96365                processes
Max open files            1024                 20000                files
`;

test("hard limits of this machine are named to the engine, and no more processes than there can be", () => {
  expect(ownLimits(LIMITS, 32_768)).toEqual([
    { Name: "nofile", Soft: 20_000, Hard: 20_000 },
    { Name: "nproc", Soft: 32_768, Hard: 32_768 },
  ]);
});

test("no limit stands for the most that Linux takes", () => {
  expect(ownLimits(LIMITS.replaceAll(/\d{5}/g, "unlimited"), 32_768)).toMatchObject([
    { Hard: 1_048_576 },
    { Hard: 32_768 },
  ]);
});
