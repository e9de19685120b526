import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, type ErrorCode, SluiceError } from "../core/errors.ts";
import { asSluiceError, exitCode, failureText } from "./failure.ts";

describe("failures", () => {
  it.each([
    ["USAGE", 2],
    ["FDL_INVALID", 2],
    ["SERVICE_LOOP", 2],
    ["UNREACHABLE", 3],
    ["UNAUTHENTICATED", 3],
    ["FORBIDDEN", 3],
    ["JOB_UNKNOWN", 1],
    ["BUCKET_UNKNOWN", 1],
    ["INTERNAL", 1],
  ] as const)("%s ends with %i", (code, exit) => expect(exitCode(new SluiceError(code, ""))).toBe(exit));

  it("have an exit code that scripts can tell apart from success, whatever the code", () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[])
      expect([1, 2, 3]).toContain(exitCode(new SluiceError(code, "")));
  });

  it("of the operating system become sentences", async () => {
    const missing = asSluiceError(await readFile("/no/such").catch((error: unknown) => error));
    expect([missing.code, missing.message]).toEqual([
      "USAGE",
      'Cannot use "/no/such": there is no such file or folder',
    ]);
    const folder = asSluiceError(await readFile("/").catch((error: unknown) => error));
    expect(folder.code).toBe("USAGE");
    expect(asSluiceError(Object.assign(new Error("x"), { code: "ENOSPC" })).code).toBe("DISK_FULL");
  });

  it("that nobody foresaw are defects, and show where only when asked", () => {
    const error = asSluiceError(new TypeError("x is not a function"));
    expect(error.code).toBe("INTERNAL");
    expect(failureText(error, false)).toMatch(/^sluice: INTERNAL: Cannot go on: x is not a function \(.*\)\n$/);
    expect(failureText(error, true)).toContain("failure.test.ts");
    expect(asSluiceError("text").message).toContain("text");
    const known = new SluiceError("JOB_STATE", "no");
    expect(asSluiceError(known)).toBe(known);
  });
});
