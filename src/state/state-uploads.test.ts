import { describe } from "vitest";
import { completeUploadContract } from "./testing/complete-upload-contract.ts";
import { copiesContract } from "./testing/copies-contract.ts";
import { randomVersionsContract } from "./testing/random-versions-contract.ts";
import { DRIVERS } from "./testing/state-bench.ts";
import { uploadListingContract } from "./testing/upload-listing-contract.ts";
import { uploadsContract } from "./testing/uploads-contract.ts";
import { versionsContract } from "./testing/versions-contract.ts";

/** What every driver must do of versions, copies and uploads in parts; see `state.test.ts`. */
describe.each(Object.keys(DRIVERS))("%s", (driver) => {
  describe("versions", () => versionsContract(driver));
  describe("random calls", () => randomVersionsContract(driver));
  describe("copies", () => copiesContract(driver));
  describe("uploads", () => uploadsContract(driver));
  describe("completions", () => completeUploadContract(driver));
  describe("lists of uploads", () => uploadListingContract(driver));
});
