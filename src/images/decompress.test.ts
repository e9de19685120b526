import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decompress } from "./decompress.ts";
import { inPieces } from "./testing/make-tar.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar";
const text = Buffer.concat([randomBytes(300_000), Buffer.alloc(500_000), Buffer.from("end")]);

async function all(blob: Buffer, pieceBytes = 777, mediaType = LAYER): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress(inPieces(blob, pieceBytes), mediaType)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const userData = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
const zstd = (input: Buffer, ...options: string[]): Buffer =>
  execFileSync("zstd", ["-c", ...options], { input, maxBuffer: 10_000_000 });

describe("a layer is decompressed from", () => {
  it.each<[string, () => Buffer]>([
    ["nothing at all", () => text],
    ["gzip", () => gzipSync(text)],
    ["gzip of many members", () => Buffer.concat([gzipSync(text.subarray(0, 5)), gzipSync(text.subarray(5))])],
    ["zstd", () => zstdCompressSync(text)],
    ["zstd of many frames", () => Buffer.concat([zstd(text.subarray(0, 9)), zstd(text.subarray(9))])],
    ["zstd of empty and tiny frames", () => Buffer.concat([zstd(Buffer.alloc(0)), zstd(text), zstd(Buffer.alloc(0))])],
    [
      "zstd with user data before, between and after",
      () => Buffer.concat([userData, zstd(text.subarray(0, 9)), userData, zstd(text.subarray(9)), userData]),
    ],
    ["zstd without checksums", () => Buffer.concat([zstd(text, "--no-check"), zstd(Buffer.alloc(0), "--no-check")])],
    ["zstd of the highest level", () => zstd(text, "-19", "--long=27")],
  ])("%s", async (_what, make) => {
    const blob = make();
    for (const pieceBytes of blob.length < 2000 ? [1, 2, 3, 777] : [777, 65_536, blob.length]) {
      expect(text.equals(await all(blob, pieceBytes))).toBe(true);
    }
  });

  it("many small frames, cut anywhere", async () => {
    const frames = Array.from({ length: 20 }, (_, at) => zstdCompressSync(Buffer.from(`piece ${at} `)));
    const wanted = frames.map((_, at) => `piece ${at} `).join("");
    for (let pieceBytes = 1; pieceBytes < 60; pieceBytes++) {
      expect((await all(Buffer.concat([userData, ...frames, userData]), pieceBytes)).toString()).toBe(wanted);
    }
  });
});

describe("refused is", () => {
  it.each<[string, () => Buffer]>([
    ["gzip that is cut off", () => gzipSync(text).subarray(0, -20)],
    ["gzip that is damaged", () => damaged(gzipSync(text))],
    ["zstd that is cut off", () => zstdCompressSync(text).subarray(0, -1)],
    ["zstd whose second frame is cut off", () => Buffer.concat([zstd(text), zstd(text).subarray(0, 20)])],
    ["zstd whose second frame is cut off in its number", () => Buffer.concat([zstd(text), zstd(text).subarray(0, 2)])],
    ["zstd that something else follows", () => Buffer.concat([zstd(text), Buffer.from("something else")])],
    ["zstd that is damaged", () => damaged(zstd(text))],
    ["zstd that wants much memory", () => zstd(text, "-1", "--zstd=wlog=31", "--no-content-size")],
  ])("%s", async (_what, make) => {
    await expect(all(make())).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  it.each(["application/vnd.oci.image.layer.v1.tar+encrypted", "text/plain", ""])("the media type %j", async (type) => {
    await expect(all(gzipSync(text), 777, type)).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
  });
});

function damaged(blob: Buffer): Buffer {
  const copy = Buffer.from(blob);
  copy.fill(0x5a, Math.floor(copy.length / 2), Math.floor(copy.length / 2) + 50);
  return copy;
}
