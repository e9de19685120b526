import { describe, expect, it } from "vitest";
import { headerTable, type SignedRequest } from "./canonical-request.ts";
import { toS3Failure } from "./errors.ts";
import { presignedTarget } from "./sign-request.ts";
import { verifySignature } from "./signature.ts";
import { readClaim } from "./signature-claim.ts";
import { parseQuery, type QueryPair } from "./uri-encoding.ts";

/** The example of AWS's documentation of presigned addresses. */
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const AT = Date.UTC(2013, 4, 24);
const DAY = 86_400_000;
const QUERY =
  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
  "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
  "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

const request = (query: string, headers: readonly string[] = []): SignedRequest => ({
  method: "GET",
  path: "/test.txt",
  query: parseQuery(query),
  headers: headerTable(["Host", "examplebucket.s3.amazonaws.com", ...headers]),
});

function codeOf(asked: SignedRequest, now = AT): string {
  try {
    verifySignature(readClaim(asked), SECRET_KEY, asked, now);
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("presignedTarget", () => {
  const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretKey: SECRET_KEY };
  const example = { method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/test.txt" };

  it("makes AWS's own example", () => {
    expect(presignedTarget(example, { credentials, at: AT }, 86_400)).toBe(`/test.txt?${QUERY}`);
  });

  it("makes addresses that are believed, with parameters and headers of their own", () => {
    const query: QueryPair[] = [
      ["versionId", "null"],
      ["response-content-disposition", 'attachment; filename="ä b"'],
    ];
    const target = presignedTarget(
      { ...example, query, headers: { "x-amz-meta-a": "1" } },
      { credentials, at: AT, region: "eu-south-2" },
      60,
    );
    const asked = request(target.slice(target.indexOf("?") + 1), ["x-amz-meta-a", "1"]);
    expect(codeOf(asked)).toBe("none");
    expect(codeOf(asked, AT + 60_001)).toBe("AccessDenied");
    expect(codeOf(request(target.slice(target.indexOf("?") + 1), ["x-amz-meta-a", "2"]))).toBe("SignatureDoesNotMatch");
  });
});

describe("a presigned address", () => {
  it("is AWS's own example", () => {
    expect(codeOf(request(QUERY))).toBe("none");
    expect(readClaim(request(QUERY))).toMatchObject({ payloadHash: "UNSIGNED-PAYLOAD", expiresSeconds: 86_400 });
  });

  it.each([
    [-15 * 60_000, "none"],
    [-15 * 60_000 - 1, "AccessDenied"],
    [DAY, "none"],
    [DAY + 1, "AccessDenied"],
  ])("asked for %d ms after it was signed gives %s", (after, code) => {
    expect(codeOf(request(QUERY), AT + after)).toBe(code);
  });

  it("says when it expired, and what the time is", () => {
    const asked = request(QUERY);
    try {
      verifySignature(readClaim(asked), SECRET_KEY, asked, AT + 2 * DAY);
      expect.unreachable();
    } catch (error) {
      const { message, fields } = toS3Failure(error);
      expect(message).toMatch(/expired at 2013-05-25T00:00:00.000Z .* 2013-05-26T00:00:00.000Z/);
      expect(fields).toMatchObject({ "X-Amz-Expires": "86400" });
    }
  });

  it.each([
    ["more parameters", `${QUERY}&response-content-type=text/html`, "SignatureDoesNotMatch"],
    ["another lifetime", QUERY.replace("86400", "604800"), "SignatureDoesNotMatch"],
    ["a lifetime that is too long", QUERY.replace("86400", "604801"), "AuthorizationQueryParametersError"],
    ["no lifetime", QUERY.replace("&X-Amz-Expires=86400", ""), "AuthorizationQueryParametersError"],
    ["a lifetime twice", `${QUERY}&X-Amz-Expires=1`, "AuthorizationQueryParametersError"],
    ["a negative lifetime", QUERY.replace("86400", "-1"), "AuthorizationQueryParametersError"],
    [
      "another algorithm",
      QUERY.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
      "AuthorizationQueryParametersError",
    ],
    ["no signed host", QUERY.replace("SignedHeaders=host", "SignedHeaders=range"), "AuthorizationQueryParametersError"],
    [
      "a day that is not the credential's",
      QUERY.replace("Date=20130524", "Date=20130525"),
      "AuthorizationQueryParametersError",
    ],
    ["a short signature", QUERY.replace(/.$/, ""), "AuthorizationQueryParametersError"],
    ["another signature", QUERY.replace(/.$/, "5"), "SignatureDoesNotMatch"],
    [
      "a signature in capitals",
      QUERY.replace("X-Amz-Signature", "X-AMZ-Signature"),
      "AuthorizationQueryParametersError",
    ],
  ])("with %s is refused", (_what, query, code) => {
    expect(codeOf(request(query))).toBe(code);
  });

  it("lets no x-amz header in that was not signed with it", () => {
    expect(codeOf(request(QUERY, ["x-amz-acl", "public-read"]))).toBe("AccessDenied");
    expect(codeOf(request(QUERY, ["x-amz-copy-source", "/secret/key"]))).toBe("AccessDenied");
  });
});
