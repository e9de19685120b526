import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutBucketWebsiteCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectLegalHoldCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareKeys } from "../../src/core/keys.ts";
import { type S3Process, startS3 } from "../support/s3-process.ts";

let s3: S3Process;

beforeAll(async () => {
  s3 = await startS3();
});

afterAll(() => s3.stop());

let buckets = 0;

async function newBucket(): Promise<string> {
  const Bucket = `bucket-${buckets++}`;
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

async function bytesOf(Bucket: string, Key: string, Range?: string): Promise<Buffer> {
  const answer = await s3.client.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }));
  return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
}

const put = (input: PutObjectCommandInput) => s3.client.send(new PutObjectCommand(input));

async function failureOf(action: Promise<unknown>): Promise<{ name: string; status: number | undefined }> {
  try {
    await action;
  } catch (error) {
    const failure = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return { name: failure.name, status: failure.$metadata?.httpStatusCode };
  }
  return { name: "none", status: 200 };
}

/** Keys that are ordinary characters in S3 and special somewhere else (decision 11). */
const HOSTILE_KEYS = [
  ...["..", ".", "../../etc/passwd", "a/../b", "a/./b", "a//b", "//", "/lead", "/", "a", "a/b", "a/", "a/b/"],
  ...[" ", "a b", "+", "a+b", "%", "%2F", "%00", "a%20b", "?", "#", "&=", "\\", "*", "<&>\"'", "ä", "é", "e\u0301"],
  ...["\u{1F600}", "\u{1F600}/\u{1F601}", "\uFFFD", "\uE000", "~", "!'()", "a\nb", "a\rb", "a\tb", "\u0001", "\u007f"],
  ...["k".repeat(1024), "é".repeat(512), "constructor", "__proto__", "con", "nul", "-rf", "x;rm -rf /", "$(id)"],
];

describe("keys", () => {
  it("come back byte for byte, in the order of their UTF-8 bytes", async () => {
    const Bucket = await newBucket();
    for (const Key of HOSTILE_KEYS) await put({ Bucket, Key, Body: `of ${Key}` });
    for (const Key of HOSTILE_KEYS) expect((await bytesOf(Bucket, Key)).toString(), Key).toBe(`of ${Key}`);
    const found: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.client.send(
        new ListObjectsV2Command({
          Bucket,
          MaxKeys: 7,
          EncodingType: "url",
          ...(ContinuationToken ? { ContinuationToken } : {}),
        }),
      );
      for (const { Key = "" } of page.Contents ?? []) found.push(decodeURIComponent(Key));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(found).toEqual(HOSTILE_KEYS.toSorted(compareKeys));
    for (const Key of HOSTILE_KEYS) await s3.client.send(new DeleteObjectCommand({ Bucket, Key }));
    await s3.client.send(new DeleteBucketCommand({ Bucket }));
  });

  it("are refused when they are too long or hold NUL", async () => {
    const Bucket = await newBucket();
    expect((await failureOf(put({ Bucket, Key: "k".repeat(1025), Body: "x" }))).name).toBe("KeyTooLongError");
    expect((await failureOf(put({ Bucket, Key: "a\0b", Body: "x" }))).status).toBe(400);
    expect((await failureOf(s3.client.send(new GetObjectCommand({ Bucket, Key: "é".repeat(513) })))).name).toBe(
      "KeyTooLongError",
    );
  });
});

describe("objects", () => {
  it.each([0, 1, 20_000, 32_768, 32_769, 300_000, 1_048_576, 1_048_577, 9_000_000])(
    "of %d bytes come back whole",
    async (size) => {
      const Bucket = await newBucket();
      const body = randomBytes(size);
      const md5 = createHash("md5").update(body).digest("hex");
      const stored = await put({ Bucket, Key: "k", Body: body });
      expect(stored.ETag).toBe(`"${md5}"`);
      expect((await bytesOf(Bucket, "k")).equals(body)).toBe(true);
      const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: "k" }));
      expect(head).toMatchObject({ ContentLength: size, ETag: `"${md5}"`, AcceptRanges: "bytes" });
      expect(head.LastModified?.getTime()).toBeGreaterThan(Date.now() - 60_000);
    },
  );

  it("keep metadata, headers and type", async () => {
    const Bucket = await newBucket();
    await put({
      Bucket,
      Key: "k",
      Body: "x",
      ContentType: "text/plain; charset=utf-8",
      CacheControl: "max-age=3",
      ContentDisposition: 'attachment; filename="a b"',
      ContentEncoding: "gzip",
      ContentLanguage: "de",
      Expires: new Date("2030-01-01T00:00:00Z"),
      Metadata: { mtime: "1.5", "with-dash": "a  b" },
    });
    expect(await s3.client.send(new GetObjectCommand({ Bucket, Key: "k" }))).toMatchObject({
      ContentType: "text/plain; charset=utf-8",
      CacheControl: "max-age=3",
      ContentDisposition: 'attachment; filename="a b"',
      ContentEncoding: "gzip",
      ContentLanguage: "de",
      ExpiresString: "Tue, 01 Jan 2030 00:00:00 GMT",
      Metadata: { mtime: "1.5", "with-dash": "a  b" },
    });
    expect((await failureOf(put({ Bucket, Key: "k", Body: "x", Metadata: { a: "v".repeat(2048) } }))).name).toBe(
      "MetadataTooLarge",
    );
    const overridden = new GetObjectCommand({ Bucket, Key: "k", ResponseContentType: "image/png" });
    expect((await s3.client.send(overridden)).ContentType).toBe("image/png");
  });

  it.each(["CRC32", "CRC32C", "SHA1", "SHA256"] as const)(
    "are verified and kept with %s, from memory and from a stream",
    async (algorithm) => {
      const Bucket = await newBucket();
      const body = randomBytes(200_000);
      const field = `Checksum${algorithm}` as const;
      const whole = await put({ Bucket, Key: "whole", Body: body, ChecksumAlgorithm: algorithm });
      expect(whole[field]).toMatch(/^[A-Za-z0-9+/]+=*$/);
      const stream = Readable.from([body.subarray(0, 70_001), body.subarray(70_001)]);
      const streamed = await put({
        Bucket,
        Key: "streamed",
        Body: stream,
        ContentLength: body.length,
        ChecksumAlgorithm: algorithm,
      });
      expect(streamed[field]).toBe(whole[field]);
      const read = await s3.client.send(new GetObjectCommand({ Bucket, Key: "streamed", ChecksumMode: "ENABLED" }));
      expect(read[field]).toBe(whole[field]);
      expect(Buffer.from((await read.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
      const wrong = { [field]: Buffer.alloc(Buffer.from(whole[field] ?? "", "base64").length).toString("base64") };
      expect((await failureOf(put({ Bucket, Key: "wrong", Body: body, ...wrong }))).name).toBe("BadDigest");
      expect((await failureOf(s3.client.send(new HeadObjectCommand({ Bucket, Key: "wrong" })))).status).toBe(404);
    },
  );

  it("give the ranges that were asked for", async () => {
    const Bucket = await newBucket();
    const body = randomBytes(2_500_000);
    await put({ Bucket, Key: "large", Body: body });
    await put({ Bucket, Key: "small", Body: body.subarray(0, 100) });
    await put({ Bucket, Key: "empty", Body: "" });
    expect((await bytesOf(Bucket, "large", "bytes=1048570-1048585")).equals(body.subarray(1_048_570, 1_048_586))).toBe(
      true,
    );
    expect((await bytesOf(Bucket, "large", "bytes=-5")).equals(body.subarray(-5))).toBe(true);
    expect((await bytesOf(Bucket, "large", "bytes=2400000-")).equals(body.subarray(2_400_000))).toBe(true);
    expect((await bytesOf(Bucket, "small", "bytes=99-1000")).equals(body.subarray(99, 100))).toBe(true);
    expect((await bytesOf(Bucket, "small", "bytes=0-1,3-4")).length).toBe(100);
    const part = await s3.client.send(new GetObjectCommand({ Bucket, Key: "small", Range: "bytes=10-19" }));
    expect(part).toMatchObject({
      ContentRange: "bytes 10-19/100",
      ContentLength: 10,
      $metadata: { httpStatusCode: 206 },
    });
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: "small", Range: "bytes=-1" }));
    expect(head).toMatchObject({ ContentLength: 1, $metadata: { httpStatusCode: 206 } });
    for (const [Key, Range] of [
      ["small", "bytes=100-"],
      ["small", "bytes=-0"],
      ["empty", "bytes=0-0"],
    ] as const) {
      expect(await failureOf(bytesOf(Bucket, Key, Range)), Range).toMatchObject({ name: "InvalidRange", status: 416 });
    }
  });

  it("honour conditions on reads and writes", async () => {
    const Bucket = await newBucket();
    const { ETag = "" } = await put({ Bucket, Key: "k", Body: "1", IfNoneMatch: "*" });
    expect(await failureOf(put({ Bucket, Key: "k", Body: "2", IfNoneMatch: "*" }))).toMatchObject({
      name: "PreconditionFailed",
      status: 412,
    });
    expect((await failureOf(put({ Bucket, Key: "k", Body: "2", IfMatch: '"0123"' }))).name).toBe("PreconditionFailed");
    expect((await bytesOf(Bucket, "k")).toString()).toBe("1");
    await put({ Bucket, Key: "k", Body: "3", IfMatch: ETag });
    const read = (condition: object) =>
      failureOf(s3.client.send(new GetObjectCommand({ Bucket, Key: "k", ...condition })));
    expect((await read({ IfMatch: ETag })).status).toBe(412);
    expect((await read({ IfNoneMatch: '"eccbc87e4b5ce2fe28308fd9f2a7baf3"' })).status).toBe(304);
    expect((await read({ IfModifiedSince: new Date(Date.now() + 60_000) })).status).toBe(304);
    expect((await read({ IfUnmodifiedSince: new Date("2020-01-01") })).status).toBe(412);
    expect((await read({ IfMatch: "*" })).name).toBe("none");
  });

  it("leave no file behind when replaced or deleted, and deleting what is not there succeeds", async () => {
    const Bucket = await newBucket();
    const files = () =>
      readdirSync(join(s3.data, "blobs"), { recursive: true, encoding: "utf8" }).filter((name) => name.length > 2)
        .length;
    const before = files();
    for (let i = 0; i < 3; i++) await put({ Bucket, Key: "k", Body: randomBytes(100_000) });
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
    await expect.poll(files, { timeout: 10_000 }).toBe(before);
    expect(await failureOf(bytesOf(Bucket, "k"))).toMatchObject({ name: "NoSuchKey", status: 404 });
  });

  it("can be read while they are replaced", async () => {
    const Bucket = await newBucket();
    const bodies = [randomBytes(2_000_000), randomBytes(2_000_000)] as const;
    await put({ Bucket, Key: "k", Body: bodies[0] });
    let writing = true;
    const writer = (async () => {
      for (let i = 1; i < 20; i++) await put({ Bucket, Key: "k", Body: bodies[i % 2] as Buffer });
      writing = false;
    })();
    while (writing) {
      const got = await bytesOf(Bucket, "k");
      expect(got.equals(bodies[0]) || got.equals(bodies[1])).toBe(true);
    }
    await writer;
  });
});

describe("buckets", () => {
  it("are made, found, listed and removed when empty", async () => {
    const Bucket = await newBucket();
    await s3.client.send(new HeadBucketCommand({ Bucket }));
    expect((await s3.client.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toContain(Bucket);
    expect((await s3.client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeUndefined();
    expect((await failureOf(s3.client.send(new CreateBucketCommand({ Bucket })))).name).toBe("BucketAlreadyOwnedByYou");
    await put({ Bucket, Key: "k", Body: "x" });
    expect(await failureOf(s3.client.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
      name: "BucketNotEmpty",
      status: 409,
    });
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
    await s3.client.send(new DeleteBucketCommand({ Bucket }));
    expect((await failureOf(s3.client.send(new HeadBucketCommand({ Bucket })))).status).toBe(404);
    expect((await failureOf(put({ Bucket, Key: "k", Body: "x" }))).name).toBe("NoSuchBucket");
    expect((await failureOf(bytesOf(Bucket, "k"))).name).toBe("NoSuchBucket");
    expect((await failureOf(s3.client.send(new ListObjectsV2Command({ Bucket })))).name).toBe("NoSuchBucket");
  });

  it("have names that follow S3's rules", async () => {
    for (const Bucket of ["ab", "Upper", "with_underscore", "a..b", "192.168.0.1", "x".repeat(64)]) {
      expect((await failureOf(s3.client.send(new CreateBucketCommand({ Bucket })))).name, Bucket).toBe(
        "InvalidBucketName",
      );
    }
    const Bucket = "with-location";
    const configuration = { LocationConstraint: "eu-west-1" } as const;
    await s3.client.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: configuration }));
  });
});

describe("listing", () => {
  let Bucket: string;
  const keys = ["a", "a/1", "a/2", "a/b/3", "b", "c/1", "c/2", "d"];

  beforeAll(async () => {
    Bucket = await newBucket();
    for (const Key of keys) await put({ Bucket, Key, Body: Key });
  });

  it.each([1, 2, 3, 1000])("folds folders and goes through pages of %d", async (MaxKeys) => {
    const found: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.client.send(
        new ListObjectsV2Command({
          Bucket,
          Delimiter: "/",
          MaxKeys,
          ...(ContinuationToken ? { ContinuationToken } : {}),
        }),
      );
      const names = [
        ...(page.Contents ?? []).map(({ Key }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
      ];
      expect(names.length).toBe(page.KeyCount);
      expect(names.length).toBeLessThanOrEqual(MaxKeys);
      found.push(...names.map((name) => name ?? ""));
      ContinuationToken = page.NextContinuationToken;
      expect(page.IsTruncated).toBe(ContinuationToken !== undefined);
    } while (ContinuationToken !== undefined);
    expect(found.toSorted()).toEqual(["a", "a/", "b", "c/", "d"]);
  });

  it.each([1, 2, 1000])("does the same for the first version of the call, in pages of %d", async (MaxKeys) => {
    const found: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await s3.client.send(
        new ListObjectsCommand({ Bucket, Delimiter: "/", MaxKeys, ...(Marker ? { Marker } : {}) }),
      );
      found.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
      found.push(...(page.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(found.toSorted()).toEqual(["a", "a/", "b", "c/", "d"]);
  });

  it("takes a prefix, a place to start after, an owner and no keys at all", async () => {
    const list = (input: object) => s3.client.send(new ListObjectsV2Command({ Bucket, ...input }));
    expect((await list({ Prefix: "a/" })).Contents?.map(({ Key }) => Key)).toEqual(["a/1", "a/2", "a/b/3"]);
    expect((await list({ Prefix: "a/", Delimiter: "/" })).CommonPrefixes).toEqual([{ Prefix: "a/b/" }]);
    expect((await list({ StartAfter: "c/1" })).Contents?.map(({ Key }) => Key)).toEqual(["c/2", "d"]);
    expect((await list({ Prefix: "d", FetchOwner: true })).Contents?.[0]).toMatchObject({
      Key: "d",
      Size: 1,
      StorageClass: "STANDARD",
      ETag: '"8277e0910d750195b448797616e091ad"',
      Owner: { ID: "cluster_admin" },
    });
    expect(await list({ MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false });
    expect((await failureOf(list({ ContinuationToken: "not one of ours" }))).name).toBe("InvalidArgument");
  });
});

describe("calls that this store does not have", () => {
  it("say so, and do nothing", async () => {
    const Bucket = await newBucket();
    await put({ Bucket, Key: "k", Body: "x" });
    const website = { Bucket, WebsiteConfiguration: { IndexDocument: { Suffix: "i" } } };
    expect(await failureOf(s3.client.send(new PutBucketWebsiteCommand(website)))).toMatchObject({
      name: "NotImplemented",
      status: 501,
    });
    const hold = { Bucket, Key: "k", LegalHold: { Status: "ON" } } as const;
    expect(await failureOf(s3.client.send(new PutObjectLegalHoldCommand(hold)))).toMatchObject({
      name: "NotImplemented",
      status: 501,
    });
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(1);
  });
});

describe("large objects", () => {
  it("flow through with little memory, both ways", async () => {
    const Bucket = await newBucket();
    const size = 200 * 1024 * 1024;
    const piece = randomBytes(1024 * 1024);
    const up = createHash("md5");
    const body = Readable.from(
      (function* () {
        for (let sent = 0; sent < size; sent += piece.length) {
          piece.writeUInt32BE(sent >>> 0, 0);
          const copy = Buffer.from(piece);
          up.update(copy);
          yield copy;
        }
      })(),
    );
    const { ETag } = await put({ Bucket, Key: "large", Body: body, ContentLength: size });
    expect(ETag).toBe(`"${up.digest("hex")}"`);
    const down = createHash("md5");
    const answer = await s3.client.send(new GetObjectCommand({ Bucket, Key: "large" }));
    for await (const chunk of answer.Body as Readable) down.update(chunk as Buffer);
    expect(`"${down.digest("hex")}"`).toBe(ETag);
    const stalled = Array.from({ length: 30 }, () => s3.client.send(new GetObjectCommand({ Bucket, Key: "large" })));
    const bodies = (await Promise.all(stalled)).map(({ Body }) => Body as Readable);
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const body of bodies) body.destroy();
    expect(s3.peakMemory()).toBeLessThan(300 * 1024 * 1024);
  });
});
