import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { headerTable } from "./canonical-request.ts";
import { ChunkDecoder } from "./chunk-decoder.ts";
import { toS3Failure } from "./errors.ts";
import { readForm } from "./form-data.ts";
import { checkPostPolicy, readPostPolicy } from "./post-policy.ts";
import { verifySignature } from "./signature.ts";
import { readClaim } from "./signature-claim.ts";
import { parseQuery } from "./uri-encoding.ts";
import type { XmlElement } from "./xml-element.ts";
import { readXml } from "./xml-read.ts";
import { element } from "./xml-write.ts";

/** Whatever comes in, the answer is a result or a refusal that is the client's fault: never another error, never a hang. */
function refusedOrDone(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SluiceError);
    const { status } = toS3Failure(error);
    expect(status === 501 || (status >= 400 && status < 500)).toBe(true);
  }
}

const markup = fc.array(
  fc.oneof(
    fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "&",
      ";",
      '"',
      "'",
      "<!--",
      "-->",
      "<?",
      "?>",
      "<!",
      "]]>",
      "&#x",
      "&amp;",
      "<a>",
      "</a>",
      "=",
      " ",
    ),
    fc.string({ unit: "binary", maxLength: 6 }),
  ),
  { maxLength: 60 },
);

describe("the XML reader", () => {
  it("takes any text", () => {
    fc.assert(fc.property(markup, (pieces) => refusedOrDone(() => readXml(pieces.join("")))));
  });

  it("reads what the writer wrote, whatever the text", () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9._-]{0,10}$/);
    // The writer's text is any but NUL and halves of pairs, which XML has no reference for.
    const text = fc
      .string({ unit: "binary", maxLength: 20 })
      .filter((each) => each.isWellFormed() && !each.includes("\0"));
    const tree: fc.Memo<XmlElement> = fc.memo((depth) =>
      fc.record({ name, text, children: depth > 1 ? fc.array(tree(depth - 1), { maxLength: 3 }) : fc.constant([]) }),
    );
    const write = ({ name: tag, text: inner, children }: XmlElement): string =>
      children.length > 0 ? element(tag, children.map(write)) : element(tag, inner);
    const asRead = ({ name: tag, text: inner, children }: XmlElement): XmlElement => ({
      name: tag,
      text: children.length > 0 ? "" : inner,
      children: children.map(asRead),
    });
    fc.assert(
      fc.property(tree(4), (root) => {
        expect(readXml(write(root))).toEqual(asRead(root));
      }),
    );
  });
});

describe("the signature parser", () => {
  const claimed = (headers: readonly string[], query: string): void => {
    const request = {
      method: "GET",
      path: "/b/k",
      query: parseQuery(query),
      headers: headerTable(["Host", "h", ...headers]),
    };
    verifySignature(readClaim(request), "secret", request, Date.UTC(2026, 0, 1));
  };
  const good =
    "AWS4-HMAC-SHA256 Credential=A/20260101/r/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=";

  it("takes any Authorization header", () => {
    const authorization = fc.oneof(
      fc.string(),
      fc.string().map((text) => `AWS4-HMAC-SHA256 ${text}`),
      fc
        .tuple(fc.nat(good.length), fc.string({ maxLength: 8 }))
        .map(([at, text]) => good.slice(0, at) + text + good.slice(at)),
    );
    const headers = (text: string): string[] => [
      "Authorization",
      text,
      "x-amz-date",
      "20260101T000000Z",
      "x-amz-content-sha256",
      "UNSIGNED-PAYLOAD",
    ];
    fc.assert(fc.property(authorization, (text) => refusedOrDone(() => claimed(headers(text), ""))));
  });

  it("takes any presigned address, and believes none", () => {
    const parameter = fc.tuple(
      fc.constantFrom(
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "x",
      ),
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          "AWS4-HMAC-SHA256",
          "A/20260101/r/s3/aws4_request",
          "20260101T000000Z",
          "60",
          "host",
          "0".repeat(64),
        ),
      ),
    );
    fc.assert(
      fc.property(fc.array(parameter, { maxLength: 9 }), (pairs) => {
        const query = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join("&");
        expect(() => claimed([], query)).toThrow(SluiceError);
      }),
    );
  });

  it("takes any query", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => refusedOrDone(() => parseQuery(text))));
  });
});

describe("the chunk decoder", () => {
  /** The pieces of a body, cut anywhere. */
  function decode(body: Buffer, cuts: readonly number[], trailers: readonly string[]): Buffer {
    const decoder = new ChunkDecoder({ signing: null, trailers, decodedBytes: null });
    const out: Uint8Array[] = [];
    let at = 0;
    for (const cut of [...cuts.map((each) => each % (body.length + 1)).toSorted((a, b) => a - b), body.length]) {
      out.push(...decoder.push(body.subarray(at, cut)));
      at = cut;
    }
    decoder.finish();
    return Buffer.concat(out);
  }

  it("takes any bytes, however they are cut", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            "5\r\n",
            "hello",
            "\r\n",
            "0\r\n",
            "ffffffffffffffff\r\n",
            ";chunk-signature=",
            "x-amz-checksum-crc32:AAAAAA==",
            ":",
            "\n",
          ),
          { maxLength: 12 },
        )
        .map((parts) => Buffer.from(parts.join(""))),
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(300), { maxLength: 6 }), (body, cuts) =>
        refusedOrDone(() => decode(Buffer.from(body), cuts, ["x-amz-checksum-crc32"])),
      ),
    );
  });

  it("gives back what was sent, however it is cut", () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(600), { maxLength: 8 }), (sent, cuts) => {
        const body = Buffer.concat([
          ...sent.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]),
          Buffer.from("0\r\n\r\n"),
        ]);
        expect(decode(body, cuts, []).equals(Buffer.concat(sent))).toBe(true);
      }),
    );
  });
});

describe("the form reader", () => {
  async function* pieces(body: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (const cut of [...cuts.map((each) => each % (body.length + 1)).toSorted((a, b) => a - b), body.length]) {
      yield body.subarray(at, cut);
      at = cut;
    }
  }

  async function fileIn(body: Buffer, cuts: readonly number[]): Promise<Buffer> {
    const form = await readForm(pieces(body, cuts), "b");
    const file: Uint8Array[] = [];
    for await (const piece of form.file) file.push(piece);
    return Buffer.concat(file);
  }

  it("takes any bytes, however they are cut", async () => {
    const bytes = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            "\r\n",
            "\r",
            "--b",
            "--b--",
            "\r\n--b\r\n",
            "Content-Disposition: form-data",
            '; name="file"',
            '; filename="f',
            "\r\n\r\n",
            "--",
          ),
          fc.string({ unit: "binary", maxLength: 8 }),
        ),
        { maxLength: 20 },
      )
      .map((parts) => Buffer.from(parts.join("")));
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(200), { maxLength: 6 }), async (body, cuts) => {
        const error = await fileIn(body, cuts).then(
          () => null,
          (reason: unknown) => reason,
        );
        refusedOrDone(() => {
          if (error !== null) throw error;
        });
      }),
    );
  });

  it("gives back the file that was sent, however it is cut", async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .array(fc.constantFrom("\r", "\n", "-", "--", "\r\n-", "\r\n--a", "b"), { maxLength: 30 })
        .map((each) => each.join("")),
    );
    await fc.assert(
      fc.asyncProperty(content, fc.array(fc.nat(300), { maxLength: 8 }), async (sent, cuts) => {
        const file = Buffer.from(sent);
        fc.pre(!file.includes("\r\n--b"));
        const head = '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n';
        const body = Buffer.concat([Buffer.from(head), file, Buffer.from("\r\n--b--")]);
        expect((await fileIn(body, cuts)).equals(file)).toBe(true);
      }),
    );
  });

  it("takes any policy", () => {
    const policy = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString("base64")),
      fc.array(fc.jsonValue(), { maxLength: 5 }).map((conditions) => {
        const document = { expiration: "2030-01-01T00:00:00Z", conditions };
        return Buffer.from(JSON.stringify(document)).toString("base64");
      }),
    );
    const fields = fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 4 });
    fc.assert(
      fc.property(policy, fields, (text, given) =>
        refusedOrDone(() => checkPostPolicy(readPostPolicy(text), new Map(Object.entries(given)), "b", 0)),
      ),
    );
  });
});
