import { describe } from "vitest";
import { jobsContract } from "./testing/jobs-contract.ts";
import { objectsContract } from "./testing/objects-contract.ts";
import { publishingContract } from "./testing/publishing-contract.ts";
import { DRIVERS } from "./testing/state-bench.ts";

/** What every driver must do. Each part in a block of its own: hooks of one would open a state for the tests of the others too. */
describe.each(Object.keys(DRIVERS))("%s", (driver) => {
  describe("objects", () => objectsContract(driver));
  describe("jobs", () => jobsContract(driver));
  describe("publishing", () => publishingContract(driver));
});
