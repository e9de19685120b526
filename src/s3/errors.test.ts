import { describe, expect, it } from "vitest";
import { ERROR_CODES, SluiceError } from "../core/errors.ts";
import { S3_CODE_OF, S3_ERRORS, s3Error, toS3Failure } from "./errors.ts";

describe("S3 errors", () => {
  it("has an S3 code for every code of ours, and no other", () => {
    expect(Object.keys(S3_CODE_OF).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
  });

  it("keeps the S3 code, the status and the fields of an S3 error", () => {
    const error = s3Error("RequestTimeTooSkewed", "Cannot x: y", { ServerTime: "now" });
    expect(error.code).toBe(S3_ERRORS.RequestTimeTooSkewed.code);
    expect(toS3Failure(error)).toEqual({
      code: "RequestTimeTooSkewed",
      status: 403,
      message: "Cannot x: y",
      fields: { ServerTime: "now" },
    });
  });

  it("maps the other errors by their code", () => {
    expect(toS3Failure(new SluiceError("DISK_FULL", "m"))).toMatchObject({ code: "XMinioStorageFull", status: 507 });
    expect(toS3Failure(new SluiceError("BODY_TRUNCATED", "m"))).toMatchObject({ code: "IncompleteBody", status: 400 });
    expect(toS3Failure(new SluiceError("INTERNAL", "m", { details: { s3: "constructor" } })).code).toBe(
      "InternalError",
    );
  });

  it("keeps the text of a defect inside", () => {
    const failure = toS3Failure(new Error("secret path /root"));
    expect(failure).toMatchObject({ code: "InternalError", status: 500 });
    expect(failure.message).not.toContain("secret");
  });
});
