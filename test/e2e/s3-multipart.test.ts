import { createHash, randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  AbortMultipartUploadCommand,
  ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Process, startS3 } from "../support/s3-process.ts";

const MIB = 1024 * 1024;

let s3: S3Process;
beforeAll(async () => {
  s3 = await startS3();
  await s3.client.send(new CreateBucketCommand({ Bucket: "box" }));
});
afterAll(() => s3.stop());

const Bucket = "box";
let keys = 0;
const newKey = (): string => `key-${keys++}`;

async function create(Key: string, over: Partial<CreateMultipartUploadCommandInput> = {}): Promise<string> {
  const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...over }));
  return UploadId ?? "";
}

async function part(Key: string, UploadId: string, PartNumber: number, Body: Buffer, over = {}) {
  const answer = await s3.client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...over }));
  const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumSHA256, ChecksumSHA1 } = answer;
  return { PartNumber, ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumSHA256, ChecksumSHA1 };
}

const complete = (
  Key: string,
  UploadId: string,
  Parts: object[],
  over: Partial<CompleteMultipartUploadCommandInput> = {},
) => s3.client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...over }));

async function read(Key: string, over = {}): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED", ...over }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function nameOf(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => "none",
    (error: { name: string }) => error.name,
  );
}

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");
const etagOf = (parts: readonly Buffer[]): string =>
  `"${md5(Buffer.concat(parts.map((each) => createHash("md5").update(each).digest())))}-${parts.length}"`;

describe("an object in parts", () => {
  it.each([
    ["equal parts", [5 * MIB, 5 * MIB, 1234]],
    ["parts that end inside a block", [5 * MIB + 17, 5 * MIB + 17, 9]],
    ["parts of different sizes", [6 * MIB, 5 * MIB, 7 * MIB]],
    ["a single small part", [5]],
    ["a single empty part", [0]],
  ])("of %s is what was sent", async (_what, sizes) => {
    const Key = newKey();
    const bodies = sizes.map((size) => randomBytes(size));
    const UploadId = await create(Key, { Metadata: { who: "me" }, ContentType: "text/x", Tagging: "a=b" });
    const parts = await Promise.all(bodies.map((body, index) => part(Key, UploadId, index + 1, body)));
    expect(await nameOf(s3.client.send(new HeadObjectCommand({ Bucket, Key })))).toBe("NotFound");
    const done = await complete(Key, UploadId, parts);
    expect(done.ETag).toBe(etagOf(bodies));
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key }));
    expect(head).toMatchObject({ ETag: etagOf(bodies), ContentType: "text/x", Metadata: { who: "me" } });
    expect((await read(Key)).equals(Buffer.concat(bodies))).toBe(true);
    expect(await nameOf(part(Key, UploadId, 1, Buffer.alloc(5)))).toBe("NoSuchUpload");
  });

  it("takes numbers in any order and with gaps, and the last bytes sent under a number", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const [first, again, other] = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(77)];
    const last = await part(Key, UploadId, 900, other);
    await part(Key, UploadId, 2, first);
    const second = await part(Key, UploadId, 2, again);
    await complete(Key, UploadId, [second, last]);
    expect((await read(Key)).equals(Buffer.concat([again, other]))).toBe(true);
  });

  it("can be read by part", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const bodies = [randomBytes(5 * MIB), randomBytes(3)];
    const parts = await Promise.all(bodies.map((body, index) => part(Key, UploadId, index + 1, body)));
    await complete(Key, UploadId, parts);
    const second = await s3.client.send(new GetObjectCommand({ Bucket, Key, PartNumber: 2 }));
    expect(second).toMatchObject({ PartsCount: 2, ContentRange: `bytes ${5 * MIB}-${5 * MIB + 2}/${5 * MIB + 3}` });
    expect(Buffer.from((await second.Body?.transformToByteArray()) ?? [])).toEqual(bodies[1]);
    expect(await nameOf(read(Key, { PartNumber: 3 }))).toBe("InvalidPartNumber");
  });

  it("is not copied when it is completed: the file of its parts becomes its own", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const parts = [
      await part(Key, UploadId, 1, randomBytes(5 * MIB)),
      await part(Key, UploadId, 2, randomBytes(5 * MIB)),
    ];
    const inodes = () =>
      new Map(
        readdirSync(join(s3.data, "blobs"), { recursive: true, encoding: "utf8" })
          .filter((name) => name.length > 30)
          .map((name) => [name, statSync(join(s3.data, "blobs", name)).ino]),
      );
    const before = inodes();
    await complete(Key, UploadId, parts);
    expect(inodes()).toEqual(before);
  });
});

describe("checksums", () => {
  it.each([
    [ChecksumAlgorithm.CRC32, "COMPOSITE"],
    [ChecksumAlgorithm.CRC32, "FULL_OBJECT"],
    [ChecksumAlgorithm.CRC32C, "FULL_OBJECT"],
    [ChecksumAlgorithm.CRC64NVME, "FULL_OBJECT"],
    [ChecksumAlgorithm.SHA256, "COMPOSITE"],
    [ChecksumAlgorithm.SHA1, "COMPOSITE"],
  ] as const)("%s %s: kept, and checked by the client that reads", async (algorithm, type) => {
    const Key = newKey();
    const UploadId = await create(Key, { ChecksumAlgorithm: algorithm, ChecksumType: type });
    const bodies = [randomBytes(5 * MIB), randomBytes(100_001)];
    const over = { ChecksumAlgorithm: algorithm };
    const parts = await Promise.all(bodies.map((body, index) => part(Key, UploadId, index + 1, body, over)));
    const name = `Checksum${algorithm}` as const;
    const done = await complete(Key, UploadId, parts);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    expect(head.ChecksumType).toBe(type);
    expect(head[name]).toBe(done[name]);
    expect(head[name]?.includes("-")).toBe(type === "COMPOSITE");
    expect((await read(Key)).equals(Buffer.concat(bodies))).toBe(true);
  });

  it("that the client promises of the whole must hold", async () => {
    const Key = newKey();
    const UploadId = await create(Key, { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" });
    const parts = [await part(Key, UploadId, 1, randomBytes(10), { ChecksumAlgorithm: "CRC32" })];
    expect(await nameOf(complete(Key, UploadId, parts, { ChecksumCRC32: "AAAAAA==" }))).toBe("BadDigest");
    expect(await nameOf(complete(Key, UploadId, parts, { MpuObjectSize: 11 }))).toBe("InvalidRequest");
    expect(await nameOf(complete(Key, UploadId, parts, { MpuObjectSize: 10 }))).toBe("none");
  });
});

describe("completing", () => {
  it("refuses what was not sent like that, and the upload goes on", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const [a, b] = [await part(Key, UploadId, 1, randomBytes(100)), await part(Key, UploadId, 2, randomBytes(100))];
    expect(await nameOf(complete(Key, UploadId, [a, b]))).toBe("EntityTooSmall");
    expect(await nameOf(complete(Key, UploadId, [{ ...a, ETag: '"00"' }]))).toBe("InvalidPart");
    expect(await nameOf(complete(Key, UploadId, [{ ...a, PartNumber: 3 }]))).toBe("InvalidPart");
    expect(await nameOf(complete(Key, UploadId, [b, a]))).toBe("InvalidPartOrder");
    expect(await nameOf(complete(Key, "0".repeat(32), [a]))).toBe("NoSuchUpload");
    expect(await nameOf(complete("another", UploadId, [a]))).toBe("NoSuchUpload");
    expect(await nameOf(complete(Key, UploadId, [b]))).toBe("none");
  });

  it("may be asked for again, when the first answer was lost", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const parts = [await part(Key, UploadId, 1, randomBytes(100))];
    const first = await complete(Key, UploadId, parts);
    const second = await complete(Key, UploadId, parts);
    expect(second.ETag).toBe(first.ETag);
    expect(await nameOf(complete(Key, UploadId, [{ PartNumber: 1, ETag: "00" }]))).toBe("NoSuchUpload");
  });

  it("happens once, however many ask at a time", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const parts = [
      await part(Key, UploadId, 1, randomBytes(6 * MIB)),
      await part(Key, UploadId, 2, randomBytes(7 * MIB)),
    ];
    const names = await Promise.all(Array.from({ length: 8 }, () => nameOf(complete(Key, UploadId, parts))));
    expect(names).toContain("none");
    expect(names.filter((name) => name !== "none" && name !== "NoSuchUpload")).toEqual([]);
  });

  it("keeps the conditions of the request inside its transaction", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    const parts = [await part(Key, UploadId, 1, randomBytes(100))];
    await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: "there" }));
    expect(await nameOf(complete(Key, UploadId, parts, { IfNoneMatch: "*" }))).toBe("PreconditionFailed");
    expect((await read(Key)).toString()).toBe("there");
    expect(await nameOf(complete(Key, UploadId, parts))).toBe("none");
  });
});

describe("lists", () => {
  it("show parts by number, a page at a time", async () => {
    const Key = newKey();
    const UploadId = await create(Key);
    for (const number of [5, 1, 3]) await part(Key, UploadId, number, randomBytes(number));
    const first = await s3.client.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }));
    expect(first.Parts?.map((each) => [each.PartNumber, each.Size])).toEqual([
      [1, 1],
      [3, 3],
    ]);
    expect(first).toMatchObject({ IsTruncated: true, NextPartNumberMarker: "3" });
    const rest = await s3.client.send(new ListPartsCommand({ Bucket, Key, UploadId, PartNumberMarker: "3" }));
    expect(rest.Parts?.map((each) => each.PartNumber)).toEqual([5]);
    expect(rest.IsTruncated).toBe(false);
  });

  it("show open uploads by key, folded by a delimiter, and none that ended", async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: "uploads" }));
    const open = async (Key: string) =>
      (await s3.client.send(new CreateMultipartUploadCommand({ Bucket: "uploads", Key }))).UploadId ?? "";
    const ids = [await open("a"), await open("b/1"), await open("b/2"), await open("c"), await open("c")];
    await s3.client.send(new AbortMultipartUploadCommand({ Bucket: "uploads", Key: "a", UploadId: ids[0] ?? "" }));
    const folded = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: "uploads", Delimiter: "/" }));
    expect(folded.CommonPrefixes).toEqual([{ Prefix: "b/" }]);
    expect(folded.Uploads?.map((each) => [each.Key, each.UploadId])).toEqual([
      ["c", ids[3]],
      ["c", ids[4]],
    ]);
    const page = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: "uploads", MaxUploads: 3 }));
    expect(page).toMatchObject({ IsTruncated: true, NextKeyMarker: "c", NextUploadIdMarker: ids[3] });
    const next = await s3.client.send(
      new ListMultipartUploadsCommand({ Bucket: "uploads", KeyMarker: "c", UploadIdMarker: ids[3] }),
    );
    expect(next.Uploads?.map((each) => each.UploadId)).toEqual([ids[4]]);
  });
});

it("aborts once, and the bytes go", async () => {
  const Key = newKey();
  const UploadId = await create(Key);
  await part(Key, UploadId, 1, randomBytes(5 * MIB));
  const abort = () => s3.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  await abort();
  expect(await nameOf(abort())).toBe("NoSuchUpload");
  expect(await nameOf(part(Key, UploadId, 2, randomBytes(5)))).toBe("NoSuchUpload");
});

describe("copies", () => {
  it("make a second object of the same bytes, with the first one's metadata or new", async () => {
    const [from, to] = [newKey(), `${newKey()} ä?+`];
    const body = randomBytes(3 * MIB);
    await s3.client.send(
      new PutObjectCommand({ Bucket, Key: from, Body: body, ContentType: "a/b", Metadata: { x: "1" } }),
    );
    const CopySource = `${Bucket}/${from}`;
    await s3.client.send(new CopyObjectCommand({ Bucket, Key: to, CopySource }));
    expect(await s3.client.send(new HeadObjectCommand({ Bucket, Key: to }))).toMatchObject({
      ContentType: "a/b",
      Metadata: { x: "1" },
    });
    expect((await read(to)).equals(body)).toBe(true);
    const itself = { Bucket, Key: from, CopySource };
    expect(await nameOf(s3.client.send(new CopyObjectCommand(itself)))).toBe("InvalidRequest");
    await s3.client.send(new CopyObjectCommand({ ...itself, MetadataDirective: "REPLACE", Metadata: { y: "2" } }));
    expect((await s3.client.send(new HeadObjectCommand({ Bucket, Key: from }))).Metadata).toEqual({ y: "2" });
    expect((await read(from)).equals(body)).toBe(true);
  });

  it("keep the conditions on their source", async () => {
    const Key = newKey();
    const { ETag } = await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
    const copy = (over: object) =>
      s3.client.send(new CopyObjectCommand({ Bucket, Key: newKey(), CopySource: `${Bucket}/${Key}`, ...over }));
    expect(await nameOf(copy({ CopySourceIfMatch: ETag }))).toBe("none");
    expect(await nameOf(copy({ CopySourceIfMatch: '"no"' }))).toBe("PreconditionFailed");
    expect(await nameOf(copy({ CopySourceIfNoneMatch: ETag }))).toBe("PreconditionFailed");
    expect(await nameOf(copy({ CopySource: `${Bucket}/none` }))).toBe("NoSuchKey");
    expect(await nameOf(copy({ CopySource: "nobodys/k" }))).toBe("NoSuchBucket");
  });

  it("become parts, whole or a range", async () => {
    const [from, Key] = [newKey(), newKey()];
    const body = randomBytes(6 * MIB);
    await s3.client.send(new PutObjectCommand({ Bucket, Key: from, Body: body }));
    const UploadId = await create(Key);
    const copyPart = async (PartNumber: number, CopySourceRange?: string) => {
      const input = { Bucket, Key, UploadId, PartNumber, CopySource: `${Bucket}/${from}`, CopySourceRange };
      const { CopyPartResult } = await s3.client.send(new UploadPartCopyCommand(input));
      return { PartNumber, ETag: CopyPartResult?.ETag, ChecksumCRC32: CopyPartResult?.ChecksumCRC32 };
    };
    const parts = [await copyPart(1), await copyPart(2, "bytes=10-99")];
    expect(await nameOf(copyPart(3, `bytes=0-${body.length}`))).toBe("InvalidRange");
    await complete(Key, UploadId, parts);
    expect((await read(Key)).equals(Buffer.concat([body, body.subarray(10, 100)]))).toBe(true);
  });
});
