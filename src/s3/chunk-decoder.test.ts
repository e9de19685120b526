import { createHash, createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createChecksum } from "./checksums.ts";
import { ChunkDecoder, type ChunkOptions } from "./chunk-decoder.ts";
import { toS3Failure } from "./errors.ts";
import type { SigningContext } from "./signature.ts";

/** AWS's examples of signed chunks: 65 KiB of "a" in chunks of 64 KiB, 1 KiB and nothing. */
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const BODY = Buffer.alloc(66_560, "a");
const PLAIN = {
  seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
  chunks: [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
  ],
};
const TRAILED = {
  seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
  chunks: [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
  ],
  signature: "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
};

function signingKey(): KeyObject {
  let key: Buffer = Buffer.from(`AWS4${SECRET_KEY}`);
  for (const part of ["20130524", "us-east-1", "s3", "aws4_request"])
    key = createHmac("sha256", key).update(part).digest();
  return createSecretKey(key);
}

const signing = (seedSignature: string): SigningContext => ({
  key: signingKey(),
  timestamp: "20130524T000000Z",
  scope: "20130524/us-east-1/s3/aws4_request",
  seedSignature,
});

function wire(chunks: readonly string[], end: string): Buffer {
  const [first, second, last] = chunks;
  return Buffer.concat([
    Buffer.from(`10000;chunk-signature=${first}\r\n`),
    BODY.subarray(0, 65_536),
    Buffer.from(`\r\n400;chunk-signature=${second}\r\n`),
    BODY.subarray(65_536),
    Buffer.from(`\r\n0;chunk-signature=${last}\r\n${end}`),
  ]);
}

function decode(
  options: ChunkOptions,
  pieces: readonly Uint8Array[],
): { body: Buffer; trailers: ReadonlyMap<string, string> } {
  const decoder = new ChunkDecoder(options);
  const parts = pieces.flatMap((piece) => decoder.push(piece).map((part) => Buffer.from(part)));
  return { body: Buffer.concat(parts), trailers: decoder.finish() };
}

function s3CodeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

const unsigned = (trailers: readonly string[] = [], decodedBytes: number | null = null): ChunkOptions => ({
  signing: null,
  trailers,
  decodedBytes,
});
const trailerEnd = `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${TRAILED.signature}\r\n\r\n`;
const trailed: ChunkOptions = {
  signing: signing(TRAILED.seed),
  trailers: ["x-amz-checksum-crc32c"],
  decodedBytes: 66_560,
};

describe("AWS's published bodies", () => {
  it("decodes signed chunks", () => {
    const options = { signing: signing(PLAIN.seed), trailers: [], decodedBytes: 66_560 };
    const body = wire(PLAIN.chunks, "\r\n");
    expect(body.length).toBe(66_824);
    expect(decode(options, [body]).body.equals(BODY)).toBe(true);
  });

  it("decodes signed chunks with a signed trailer", () => {
    const body = wire(TRAILED.chunks, trailerEnd);
    expect(body.length).toBe(66_946);
    const { body: decoded, trailers } = decode(trailed, [body]);
    expect(decoded.equals(BODY)).toBe(true);
    expect([...trailers]).toEqual([["x-amz-checksum-crc32c", "sOO8/Q=="]]);
    const crc = createChecksum("crc32c");
    crc.update(decoded);
    expect(crc.digest().toString("base64")).toBe("sOO8/Q==");
  });

  it.each([
    ["an empty line before the trailer's signature", trailerEnd.replace("\r\nx-amz-t", "\n\r\nx-amz-t")],
    ["an empty line before the trailer", `\r\n${trailerEnd}`],
    ["a space after the colon", trailerEnd.replaceAll(":", ": ")],
    ["no empty line at the end", trailerEnd.slice(0, -2)],
  ])("accepts %s, as some clients write it", (_, end) => {
    expect(decode(trailed, [wire(TRAILED.chunks, end)]).trailers.size).toBe(1);
  });

  it.each([
    ["a data byte", (body: Buffer) => body.fill("b", 100, 101), "SignatureDoesNotMatch"],
    ["a byte of the second chunk", (body: Buffer) => body.fill("b", 65_800, 65_801), "SignatureDoesNotMatch"],
    [
      "the trailer's value",
      (body: Buffer) => body.fill("t", body.indexOf("sOO8"), body.indexOf("sOO8") + 1),
      "SignatureDoesNotMatch",
    ],
    [
      "the trailer's signature",
      (body: Buffer) => body.fill("0", body.length - 5, body.length - 4),
      "SignatureDoesNotMatch",
    ],
    ["a chunk's signature", (body: Buffer) => body.fill("0", 24, 30), "SignatureDoesNotMatch"],
  ])("refuses a change of %s", (_, change, code) => {
    const body = wire(TRAILED.chunks, trailerEnd);
    change(body);
    expect(s3CodeOf(() => decode(trailed, [body]))).toBe(code);
  });
});

describe("pieces", () => {
  const text = "3\r\nabc\r\n5;ext=1\r\nde\r\nf\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
  const options = unsigned(["x-amz-checksum-crc32"], 8);

  it("gives the same wherever the body is cut in two", () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const pieces = [Buffer.from(text.slice(0, cut)), Buffer.from(text.slice(cut))];
      const { body, trailers } = decode(options, pieces);
      expect(body.toString(), `cut at ${cut}`).toBe("abcde\r\nf");
      expect(trailers.get("x-amz-checksum-crc32")).toBe("AAAAAA==");
    }
  });

  it("gives the same byte by byte", () => {
    expect(
      decode(
        options,
        [...Buffer.from(text)].map((byte) => Uint8Array.of(byte)),
      ).body.toString(),
    ).toBe("abcde\r\nf");
  });

  it("says IncompleteBody wherever the body ends early", () => {
    const end = text.indexOf("AAAAAA==\r\n") + 10;
    for (let cut = 0; cut < end; cut++) {
      const code = s3CodeOf(() => decode(options, [Buffer.from(text.slice(0, cut))]));
      expect(["IncompleteBody", "MalformedTrailerError"], `cut at ${cut}`).toContain(code);
    }
  });
});

describe("hostile bodies", () => {
  it.each([
    ["a size that is no number", "xyz\r\n", "InvalidRequest"],
    ["a negative size", "-1\r\n", "InvalidRequest"],
    ["an empty size", "\r\n", "InvalidRequest"],
    ["a size beyond exact numbers", `${"f".repeat(14)}\r\n`, "InvalidRequest"],
    ["a size line without end", "1".repeat(10_000), "InvalidRequest"],
    ["data longer than its size", "1\r\nab\r\n0\r\n\r\n", "InvalidRequest"],
    ["an unannounced trailer", "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "MalformedTrailerError"],
    ["a trailer without colon", "0\r\nnonsense\r\n\r\n", "MalformedTrailerError"],
    ["a trailer without end", `0\r\n${"a".repeat(20_000)}`, "MalformedTrailerError"],
  ])("refuses %s", (_, text, code) => {
    expect(s3CodeOf(() => decode(unsigned(), [Buffer.from(text)]))).toBe(code);
  });

  it("refuses a size larger than what was announced before any of its bytes come", () => {
    expect(s3CodeOf(() => new ChunkDecoder(unsigned([], 10)).push(Buffer.from("fffffffffffff\r\n")))).toBe(
      "IncompleteBody",
    );
  });

  it("refuses fewer bytes than were announced", () => {
    expect(s3CodeOf(() => decode(unsigned([], 4), [Buffer.from("3\r\nabc\r\n0\r\n\r\n")]))).toBe("IncompleteBody");
  });

  it("refuses a missing trailer and one that comes twice", () => {
    const options = unsigned(["x-amz-checksum-crc32"]);
    expect(s3CodeOf(() => decode(options, [Buffer.from("0\r\n\r\n")]))).toBe("MalformedTrailerError");
    const twice = "x-amz-checksum-crc32:AAAAAA==\r\n".repeat(2);
    expect(s3CodeOf(() => decode(options, [Buffer.from(`0\r\n${twice}\r\n`)]))).toBe("MalformedTrailerError");
  });

  it("refuses an unsigned chunk, and a trailer without signature, where signatures were promised", () => {
    const context = signing(PLAIN.seed);
    expect(s3CodeOf(() => decode({ ...unsigned(), signing: context }, [Buffer.from("1\r\na\r\n")]))).toBe(
      "InvalidRequest",
    );
    const noSignature = wire(TRAILED.chunks, "x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n");
    expect(s3CodeOf(() => decode(trailed, [noSignature]))).toBe("SignatureDoesNotMatch");
  });

  it("hands data on without keeping it", () => {
    const decoder = new ChunkDecoder(unsigned());
    const piece = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(1000, 1)]);
    const [part] = decoder.push(piece);
    expect(part?.buffer).toBe(piece.buffer);
    expect(
      createHash("md5")
        .update(part ?? new Uint8Array())
        .digest("hex"),
    ).toBe(createHash("md5").update(Buffer.alloc(1000, 1)).digest("hex"));
  });
});
