import { describe, expect, it } from "vitest";
import { canonicalRequest, headerTable, type SignedRequest } from "./canonical-request.ts";
import { toS3Failure } from "./errors.ts";
import { signRequest } from "./sign-request.ts";
import { type SigningContext, verifySignature } from "./signature.ts";
import { formatTimestamp, parseTimestamp, readClaim } from "./signature-claim.ts";
import { parseQuery } from "./uri-encoding.ts";

/** The credentials, time and host of every example in AWS's documentation of Signature V4 for S3. */
const ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const AT = Date.UTC(2013, 4, 24);
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

interface Example {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly host?: string;
  readonly headers: readonly string[];
  readonly signature: string;
}

const EXAMPLES: Record<string, Example> = {
  "GET object with a range": {
    method: "GET",
    path: "/test.txt",
    headers: ["Range", "bytes=0-9", "x-amz-content-sha256", EMPTY, "x-amz-date", "20130524T000000Z"],
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  "PUT object with a $ in its key": {
    method: "PUT",
    path: "/test$file.text",
    headers: [
      ...["Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-date", "20130524T000000Z"],
      ...["x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ...["x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"],
    ],
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  "GET bucket with a parameter without value": {
    method: "GET",
    path: "/",
    query: "lifecycle",
    headers: ["x-amz-content-sha256", EMPTY, "x-amz-date", "20130524T000000Z"],
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  "GET bucket with two parameters": {
    method: "GET",
    path: "/",
    query: "prefix=J&max-keys=2",
    headers: ["x-amz-content-sha256", EMPTY, "x-amz-date", "20130524T000000Z"],
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
  "PUT object in signed chunks": {
    method: "PUT",
    path: "/examplebucket/chunkObject.txt",
    host: "s3.amazonaws.com",
    headers: [
      ...["x-amz-date", "20130524T000000Z", "x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ...["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "Content-Encoding", "aws-chunked"],
      ...["x-amz-decoded-content-length", "66560", "Content-Length", "66824"],
    ],
    signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
  },
  "PUT object in signed chunks with a trailer": {
    method: "PUT",
    path: "/examplebucket/chunkObject.txt",
    host: "s3.amazonaws.com",
    headers: [
      ...["x-amz-date", "20130524T000000Z", "x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ...["x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "Content-Encoding", "aws-chunked"],
      ...["x-amz-decoded-content-length", "66560", "x-amz-trailer", "x-amz-checksum-crc32c"],
    ],
    signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
  },
};

function requestOf(example: Example, more: readonly string[] = []): SignedRequest {
  const host = example.host ?? "examplebucket.s3.amazonaws.com";
  const names = ["host", ...example.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())].toSorted();
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY}/20130524/us-east-1/s3/aws4_request,` +
    `SignedHeaders=${names.join(";")},Signature=${example.signature}`;
  return {
    method: example.method,
    path: example.path,
    query: parseQuery(example.query ?? ""),
    headers: headerTable(["Host", host, ...example.headers, "Authorization", authorization, ...more]),
  };
}

function verify(request: SignedRequest, now = AT, secret = SECRET_KEY): SigningContext {
  return verifySignature(readClaim(request), secret, request, now);
}

function s3CodeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("verifying AWS's own examples", () => {
  it.each(Object.entries(EXAMPLES))("accepts %s", (_, example) => {
    expect(verify(requestOf(example)).seedSignature).toBe(example.signature);
  });

  it.each(Object.entries(EXAMPLES))("refuses %s under another secret, method, path or signature", (_, example) => {
    const request = requestOf(example);
    expect(s3CodeOf(() => verify(request, AT, "another"))).toBe("SignatureDoesNotMatch");
    expect(s3CodeOf(() => verify({ ...request, method: "HEAD" }))).toBe("SignatureDoesNotMatch");
    expect(s3CodeOf(() => verify({ ...request, path: `${request.path}x` }))).toBe("SignatureDoesNotMatch");
    const zeros = requestOf({ ...example, signature: "0".repeat(64) });
    expect(s3CodeOf(() => verify(zeros))).toBe("SignatureDoesNotMatch");
  });
});

describe("clock skew", () => {
  const request = requestOf(EXAMPLES["GET object with a range"] as Example);
  const window = 15 * 60_000;

  it.each([-window, 0, window])("accepts a clock that is %d ms off", (skew) => {
    expect(() => verify(request, AT + skew)).not.toThrow();
  });

  it.each([-window - 1, window + 1])("refuses a clock that is %d ms off and says both times", (skew) => {
    try {
      verify(request, AT + skew);
      expect.unreachable();
    } catch (error) {
      const failure = toS3Failure(error);
      expect(failure.code).toBe("RequestTimeTooSkewed");
      expect(failure.message).toContain("2013-05-24T00:00:00.000Z");
      expect(failure.message).toContain(new Date(AT + skew).toISOString());
    }
  });
});

describe("claims", () => {
  const example = EXAMPLES["GET object with a range"] as Example;
  const changed = (from: RegExp, to: string): SignedRequest => {
    const request = requestOf(example);
    const authorization = (request.headers.get("authorization")?.[0] ?? "").replace(from, to);
    return { ...request, headers: new Map([...request.headers, ["authorization", [authorization]]]) };
  };
  const without = (name: string): SignedRequest => {
    const request = requestOf(example);
    return { ...request, headers: new Map([...request.headers].filter(([other]) => other !== name)) };
  };

  it.each([
    ["another algorithm", changed(/^AWS4-HMAC-SHA256/, "AWS"), "InvalidRequest"],
    ["a short signature", changed(/.$/, ""), "AuthorizationHeaderMalformed"],
    ["no credential", changed(/Credential=[^,]*/, "Credential="), "AuthorizationHeaderMalformed"],
    ["another service", changed(/\/s3\//, "/sqs/"), "AuthorizationHeaderMalformed"],
    ["a scope of another day", changed(/20130524/, "20130525"), "AuthorizationHeaderMalformed"],
    ["an unsigned host", changed(/host;/, ""), "AuthorizationHeaderMalformed"],
    ["an unsigned x-amz header", changed(/x-amz-content-sha256;/, ""), "AccessDenied"],
    ["an x-amz header put in on the way", requestOf(example, ["x-amz-acl", "public-read"]), "AccessDenied"],
    ["no x-amz-content-sha256", without("x-amz-content-sha256"), "InvalidRequest"],
    ["no date", without("x-amz-date"), "AccessDenied"],
    [
      "a signature in the address too",
      { ...requestOf(example), query: parseQuery("X-Amz-Signature=0") },
      "InvalidArgument",
    ],
    ["no signature at all", without("authorization"), "AccessDenied"],
  ])("refuses %s", (_, request, code) => {
    expect(s3CodeOf(() => verify(request))).toBe(code);
  });

  it("reads spaces after commas and slashes in the access key", () => {
    const claim = readClaim(
      changed(/Credential=AKIAIOSFODNN7EXAMPLE(.*),SignedHeaders/, "Credential=a/b$1,  SignedHeaders"),
    );
    expect(claim).toMatchObject({ accessKeyId: "a/b", date: "20130524", region: "us-east-1" });
  });

  it("takes the time of the Date header when there is no x-amz-date", () => {
    const request = requestOf({
      ...example,
      headers: ["Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-content-sha256", EMPTY],
    });
    expect(readClaim(request).timestamp).toBe("20130524T000000Z");
  });

  it("writes and reads timestamps", () => {
    expect(formatTimestamp(AT + 3_723_004)).toBe("20130524T010203Z");
    expect(parseTimestamp("20130524T010203Z")).toBe(AT + 3_723_000);
    expect(parseTimestamp("2013-05-24")).toBeNull();
  });
});

describe("canonicalRequest", () => {
  it("joins repeated headers, trims and folds spaces, sorts parameters by their encoded bytes", () => {
    const request: SignedRequest = {
      method: "GET",
      path: "/b/a//b/../c d+%\u{1F600}",
      query: parseQuery("b=2&a=%2B&B=1&a=&a=x+y"),
      headers: headerTable(["Host", "h", "X-Amz-Meta-A", "  one   two\tthree ", "x-amz-meta-a", "four"]),
    };
    expect(canonicalRequest(request, ["host", "x-amz-meta-a"], "UNSIGNED-PAYLOAD").split("\n")).toEqual([
      "GET",
      "/b/a//b/../c%20d%2B%25%F0%9F%98%80",
      "B=1&a=&a=%2B&a=x%20y&b=2",
      "host:h",
      "x-amz-meta-a:one two three,four",
      "",
      "host;x-amz-meta-a",
      "UNSIGNED-PAYLOAD",
    ]);
  });
});

describe("signRequest", () => {
  it("makes AWS's published signature", () => {
    const headers = signRequest(
      {
        method: "GET",
        host: "examplebucket.s3.amazonaws.com",
        path: "/test.txt",
        headers: { range: "bytes=0-9" },
        payloadHash: EMPTY,
      },
      { credentials: { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY }, at: AT },
    );
    expect(headers.authorization).toContain(
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
  });

  it.each(["a//b", "../..", "a b+c%d", "\u{1F600}/é", "(1)!*'~", "/", "?x=1&y"])(
    "signs the key %j so that it verifies",
    (key) => {
      const query = [["prefix", key]] as const;
      const headers = signRequest(
        { method: "PUT", host: "h:9000", path: `/bucket/${key}`, query, headers: { "x-amz-meta-k": "v  w" } },
        { credentials: { accessKeyId: "k", secretKey: "s" }, region: "eu-central-1", at: AT },
      );
      const request = {
        method: "PUT",
        path: `/bucket/${key}`,
        query,
        headers: headerTable(Object.entries(headers).flat()),
      };
      expect(() => verify(request, AT, "s")).not.toThrow();
    },
  );
});
