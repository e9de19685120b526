import { expect, it } from "vitest";
import { isSluiceError } from "../core/errors.ts";
import { leastOpenFiles, plentyOpenFiles, requireOpenFiles, shareOpenFiles } from "./open-files.ts";

it("gives the ports what running jobs leave", () => {
  const share = requireOpenFiles(256, 4);
  expect(share.s3Connections * 3 + share.apiConnections * 2 + 4 * 32 + 64).toBeLessThanOrEqual(256);
  expect(share).toEqual({ s3Connections: 16, s3Requests: 8, apiConnections: 8 });
});

it.each([1, 4, 64])("starts with the least for %i slots, and refuses one file less", (slots) => {
  const least = leastOpenFiles(slots);
  expect(shareOpenFiles(least, slots)).not.toBeNull();
  expect(shareOpenFiles(least - 1, slots)).toBeNull();
  try {
    requireOpenFiles(least - 1, slots);
    expect.unreachable();
  } catch (error) {
    expect(isSluiceError(error, "CONFIG_INVALID")).toBe(true);
    expect(String(error)).toContain(`may open ${least - 1} files, and ${slots} jobs at once need ${least} (raise it`);
  }
});

it("holds nothing back where files are plenty", () => {
  expect(requireOpenFiles(plentyOpenFiles(4), 4).s3Requests).toBe(256);
  expect(requireOpenFiles(plentyOpenFiles(4) - 8, 4).s3Requests).toBeLessThan(256);
  expect(requireOpenFiles(Number.POSITIVE_INFINITY, 4)).toEqual({
    s3Connections: Number.POSITIVE_INFINITY,
    s3Requests: 256,
    apiConnections: Number.POSITIVE_INFINITY,
  });
});
