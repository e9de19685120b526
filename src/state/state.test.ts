import { describe } from "vitest";
import { jobsContract } from "./testing/jobs-contract.ts";
import { objectsContract } from "./testing/objects-contract.ts";
import { publishingContract } from "./testing/publishing-contract.ts";
import { DRIVERS } from "./testing/state-bench.ts";

/** What every driver must do. */
describe.each(Object.keys(DRIVERS))("%s", (driver) => {
  objectsContract(driver);
  jobsContract(driver);
  publishingContract(driver);
});
