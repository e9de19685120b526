import { availableParallelism, tmpdir, totalmem } from "node:os";
import { expect, it } from "vitest";
import { localCapacity } from "./local-capacity.ts";

it("finds out what the machine has", async () => {
  const capacity = await localCapacity(tmpdir(), { cpuMilli: null, memoryBytes: null, diskBytes: null });
  expect(capacity.cpu).toBe(availableParallelism() * 1000);
  expect(capacity.memory).toBeGreaterThan(0);
  expect(capacity.memory).toBeLessThanOrEqual(totalmem() * 0.8);
  expect(capacity.disk).toBeGreaterThan(0);
});

it("believes the configuration", async () => {
  expect(await localCapacity(tmpdir(), { cpuMilli: 500, memoryBytes: 7, diskBytes: 9 })).toEqual({
    cpu: 500,
    memory: 7,
    disk: 9,
  });
});
