import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { removeLeftFolders } from "./machine.ts";
import { namespaceOf } from "./proc-table.ts";

test("what a killed server left is removed once, by however many that start at the same time", async () => {
  // No process of this id has ever begun at that time.
  const folder = `/dev/shm/sluice-left-${process.pid}.${namespaceOf("self", "pid")}-1-7`;
  for (let n = 0; n < 200; n++) mkdirSync(`${folder}/slots/slot-${n}/deep`, { recursive: true });
  writeFileSync(`${folder}/slots/slot-0/args`, "secret");
  const isRoot = process.geteuid?.() === 0;
  await Promise.all(Array.from({ length: 6 }, () => removeLeftFolders(isRoot)));
  expect(existsSync(folder)).toBe(false);
});
