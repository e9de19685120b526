import { describe, expect, it } from "vitest";
import { toS3Failure } from "./errors.ts";
import { checkPostPolicy, readPostPolicy } from "./post-policy.ts";
import { verifyPolicySignature } from "./signature.ts";
import { readFormClaim } from "./signature-claim.ts";

const NOW = Date.UTC(2030, 0, 1);
const encode = (document: unknown): string => Buffer.from(JSON.stringify(document)).toString("base64");
const policyOf = (conditions: readonly unknown[], expiration = "2030-01-02T00:00:00.000Z"): string =>
  encode({ expiration, conditions });

function failure(action: () => unknown): { readonly code: string; readonly message: string } {
  try {
    action();
  } catch (error) {
    return toS3Failure(error);
  }
  return { code: "none", message: "" };
}

const check = (conditions: readonly unknown[], fields: Record<string, string>, now = NOW) =>
  failure(() => checkPostPolicy(readPostPolicy(policyOf(conditions)), new Map(Object.entries(fields)), "photos", now));

describe("a policy", () => {
  it("lets a form through whose fields are all as it says", () => {
    const conditions = [
      { bucket: "photos" },
      { ACL: "private" },
      ["eq", "$x-amz-meta-a", "1"],
      ["starts-with", "$key", "in/"],
      ["starts-with", "$Content-Type", "image/"],
      ["content-length-range", 0, 10],
    ];
    const fields = {
      key: "in/a.jpg",
      acl: "private",
      "x-amz-meta-a": "1",
      "content-type": "image/png, image/jpeg",
      policy: "…",
      "x-amz-signature": "…",
      "x-ignore-this": "…",
      bucket: "other",
    };
    expect(check(conditions, fields)).toEqual({ code: "none", message: "" });
  });

  it.each([
    ["another value", [{ key: "a" }], { key: "b" }, /condition "eq" on "key"/],
    ["another start", [["starts-with", "$key", "in/"]], { key: "out/in/" }, /condition "starts-with" on "key"/],
    ["a field that is missing", [{ key: "a" }, ["starts-with", "$acl", ""]], { key: "a" }, /on "acl"/],
    [
      "one type of many",
      [["starts-with", "$content-type", "image/"]],
      { "content-type": "image/a,text/b" },
      /on "content-type"/,
    ],
    [
      "a field that nobody thought of",
      [{ key: "a" }],
      { key: "a", "x-amz-meta-b": "1" },
      /no condition on its field "x-amz-meta-b"/,
    ],
    ["another bucket", [{ bucket: "other" }], { bucket: "other" }, /on "bucket"/],
  ])("refuses %s", (_what, conditions, fields, message) => {
    const { code, message: said } = check(conditions, fields);
    expect(code).toBe("AccessDenied");
    expect(said).toMatch(message);
  });

  it("ends, and says both times", () => {
    const end = Date.UTC(2030, 0, 2);
    expect(check([], {}, end).code).toBe("none");
    const { code, message } = check([], {}, end + 1);
    expect(code).toBe("AccessDenied");
    expect(message).toMatch(/2030-01-02T00:00:00.000Z .* 2030-01-02T00:00:00.001Z/);
  });

  it("gives the narrowest of its sizes", () => {
    const conditions = [
      ["content-length-range", 1, 100],
      ["Content-Length-Range", "5", "1000"],
    ];
    expect(readPostPolicy(policyOf(conditions))).toMatchObject({ minBytes: 5, maxBytes: 100 });
    expect(readPostPolicy(policyOf([])).maxBytes).toBeGreaterThan(2 ** 50);
  });

  it("may be base64 in lines", () => {
    const lines = policyOf([{ key: "a" }]).replace(/(.{20})/g, "$1\r\n");
    expect(readPostPolicy(lines).conditions).toEqual([{ operator: "eq", field: "key", value: "a" }]);
  });

  it.each([
    ["", "not base64"],
    ["!!!", "not base64"],
    [Buffer.from("{").toString("base64"), "no JSON"],
    [encode([]), "no object"],
    [encode(null), "no object"],
    [encode({ conditions: [] }), "expiration"],
    [encode({ expiration: "tomorrow", conditions: [] }), "expiration"],
    [encode({ expiration: "2030-13-01T00:00:00Z", conditions: [] }), "expiration"],
    [encode({ expiration: "2030-01-01T00:00:00Z" }), "list of conditions"],
    [policyOf(["key"]), "neither"],
    [policyOf([{ a: "1", b: "2" }]), "neither"],
    [policyOf([{ a: 1 }]), "neither"],
    [policyOf([null]), "neither"],
    [policyOf([["eq", "$a"]]), "none of"],
    [policyOf([["eq", "$a", 1]]), "none of"],
    [policyOf([["in", "$a", "1"]]), "none of"],
    [policyOf([["eq", "a", "1"]]), 'begin with "$"'],
    [policyOf([["content-length-range", 2, 1]]), "content-length-range"],
    [policyOf([["content-length-range", -1, 1]]), "content-length-range"],
    [policyOf([["content-length-range", 1]]), "content-length-range"],
    [policyOf([["content-length-range", "1e3", 2]]), "content-length-range"],
  ])("is refused: %s", (text, part) => {
    const { code, message } = failure(() => readPostPolicy(text));
    expect(code).toBe("InvalidPolicyDocument");
    expect(message).toContain(part);
  });
});

describe("the signature of a form", () => {
  /** The example of AWS's documentation of browser-based uploads. */
  const POLICY = [
    '{ "expiration": "2015-12-30T12:00:00.000Z",',
    '  "conditions": [',
    '    {"bucket": "sigv4examplebucket"},',
    '    ["starts-with", "$key", "user/user1/"],',
    '    {"acl": "public-read"},',
    '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
    '    ["starts-with", "$Content-Type", "image/"],',
    '    {"x-amz-meta-uuid": "14365123651274"},',
    '    {"x-amz-server-side-encryption": "AES256"},',
    '    ["starts-with", "$x-amz-meta-tag", ""],',
    "",
    '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
    '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
    '    {"x-amz-date": "20151229T000000Z" }',
    "  ]",
    "}",
  ].join("\r\n");
  const policy = Buffer.from(POLICY).toString("base64");
  const FIELDS: Record<string, string> = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
    "x-amz-date": "20151229T000000Z",
    "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
  };
  const codeWith = (
    changed: Record<string, string>,
    text = policy,
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  ) =>
    failure(() =>
      verifyPolicySignature(readFormClaim(new Map(Object.entries({ ...FIELDS, ...changed }))), secret, text),
    ).code;

  it("is AWS's own example", () => {
    expect(codeWith({})).toBe("none");
    expect(readPostPolicy(policy).conditions).toHaveLength(11);
  });

  it.each([
    ["another algorithm", { "x-amz-algorithm": "AWS4-ECDSA-P256-SHA256" }, "InvalidArgument"],
    ["no signature", { "x-amz-signature": "" }, "InvalidArgument"],
    ["no date", { "x-amz-date": "" }, "InvalidArgument"],
    ["no credential", { "x-amz-credential": "" }, "InvalidArgument"],
    ["another day", { "x-amz-date": "20151230T000000Z" }, "InvalidArgument"],
    ["another signature", { "x-amz-signature": "0".repeat(64) }, "SignatureDoesNotMatch"],
  ])("is refused with %s", (_what, changed, code) => {
    expect(codeWith(changed)).toBe(code);
  });

  it("is refused on another policy, and by another secret", () => {
    expect(codeWith({}, policyOf([]))).toBe("SignatureDoesNotMatch");
    expect(codeWith({}, policy, "other")).toBe("SignatureDoesNotMatch");
  });
});
