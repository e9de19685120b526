import { describe } from "vitest";
import { completeUploadContract } from "./testing/complete-upload-contract.ts";
import { copiesContract } from "./testing/copies-contract.ts";
import { jobsContract } from "./testing/jobs-contract.ts";
import { objectsContract } from "./testing/objects-contract.ts";
import { publishingContract } from "./testing/publishing-contract.ts";
import { randomVersionsContract } from "./testing/random-versions-contract.ts";
import { DRIVERS } from "./testing/state-bench.ts";
import { storeCheckContract } from "./testing/store-check-contract.ts";
import { uploadListingContract } from "./testing/upload-listing-contract.ts";
import { uploadsContract } from "./testing/uploads-contract.ts";
import { versionsContract } from "./testing/versions-contract.ts";

/** What every driver must do. Each part in a block of its own: hooks of one would open a state for the tests of the others too. */
describe.each(Object.keys(DRIVERS))("%s", (driver) => {
  describe("objects", () => objectsContract(driver));
  describe("jobs", () => jobsContract(driver));
  describe("publishing", () => publishingContract(driver));
  describe("versions", () => versionsContract(driver));
  describe("random calls", () => randomVersionsContract(driver));
  describe("copies", () => copiesContract(driver));
  describe("uploads", () => uploadsContract(driver));
  describe("completions", () => completeUploadContract(driver));
  describe("checks of the store", () => storeCheckContract(driver));
  describe("lists of uploads", () => uploadListingContract(driver));
});
