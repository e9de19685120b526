import { describe } from "vitest";
import { jobsContract } from "./testing/jobs-contract.ts";
import { objectsContract } from "./testing/objects-contract.ts";
import { publishingContract } from "./testing/publishing-contract.ts";
import { DRIVERS } from "./testing/state-bench.ts";
import { storeCheckContract } from "./testing/store-check-contract.ts";

/** What every driver must do; what S3 needs beside it is in `state-uploads.test.ts`. Each part in a block of its own: hooks of one would open a state
 *  for the tests of the others too. */
describe.each(Object.keys(DRIVERS))("%s", (driver) => {
  describe("objects", () => objectsContract(driver));
  describe("jobs", () => jobsContract(driver));
  describe("publishing", () => publishingContract(driver));
  describe("checks of the store", () => storeCheckContract(driver));
});
