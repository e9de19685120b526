import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Process, startS3 } from "../support/s3-process.ts";

let s3: S3Process;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.stop());

let buckets = 0;

async function newBucket(Status: "Enabled" | "Suspended" | null): Promise<string> {
  const Bucket = `versions-${buckets++}`;
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  if (Status !== null) await setVersioning(Bucket, Status);
  return Bucket;
}

const setVersioning = (Bucket: string, Status: "Enabled" | "Suspended") =>
  s3.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));

async function put(Bucket: string, Key: string, Body: string): Promise<string | undefined> {
  return (await s3.client.send(new PutObjectCommand({ Bucket, Key, Body }))).VersionId;
}

async function text(Bucket: string, Key: string, VersionId?: string): Promise<string | undefined> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  return Body?.transformToString();
}

const remove = (Bucket: string, Key: string, VersionId?: string) =>
  s3.client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));

async function failureOf(action: Promise<unknown>): Promise<{ name: string; status: number | undefined }> {
  return action.then(
    () => ({ name: "none", status: 200 }),
    (error: { name: string; $metadata?: { httpStatusCode?: number } }) => ({
      name: error.name,
      status: error.$metadata?.httpStatusCode,
    }),
  );
}

/** What a bucket holds, as `key@version` from the newest on; `*` is the latest, `-` a delete marker. */
async function history(Bucket: string): Promise<string[]> {
  const { Versions = [], DeleteMarkers = [] } = await s3.client.send(new ListObjectVersionsCommand({ Bucket }));
  const rows = [
    ...Versions.map((each) => ({ ...each, mark: "" })),
    ...DeleteMarkers.map((each) => ({ ...each, mark: "-" })),
  ];
  return rows.map(({ Key, VersionId, IsLatest, mark }) => `${mark}${Key}@${VersionId}${IsLatest === true ? "*" : ""}`);
}

describe("a bucket", () => {
  it("says whether it keeps versions, and nothing before it was told", async () => {
    const Bucket = await newBucket(null);
    const status = async () => (await s3.client.send(new GetBucketVersioningCommand({ Bucket }))).Status;
    expect(await status()).toBeUndefined();
    await setVersioning(Bucket, "Enabled");
    expect(await status()).toBe("Enabled");
    await setVersioning(Bucket, "Suspended");
    expect(await status()).toBe("Suspended");
  });

  it("gives no version ids while it keeps none", async () => {
    const Bucket = await newBucket(null);
    expect(await put(Bucket, "k", "1")).toBeUndefined();
    expect(await text(Bucket, "k", "null")).toBe("1");
    expect(await history(Bucket)).toEqual(["k@null*"]);
  });

  it("cannot be deleted while an older version is left", async () => {
    const Bucket = await newBucket("Enabled");
    const version = await put(Bucket, "k", "1");
    const { VersionId: marker } = await remove(Bucket, "k");
    expect(await failureOf(s3.client.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({
      name: "BucketNotEmpty",
    });
    await remove(Bucket, "k", version);
    await remove(Bucket, "k", marker);
    expect(await failureOf(s3.client.send(new DeleteBucketCommand({ Bucket })))).toMatchObject({ name: "none" });
  });
});

describe("versions", () => {
  it("stay, each under its id, and the newest is the object", async () => {
    const Bucket = await newBucket("Enabled");
    const first = await put(Bucket, "k", "1");
    const second = await put(Bucket, "k", "2");
    expect(first).toBeDefined();
    expect(await text(Bucket, "k")).toBe("2");
    expect(await text(Bucket, "k", first)).toBe("1");
    expect(await history(Bucket)).toEqual([`k@${second}*`, `k@${first}`]);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: "k", VersionId: first }));
    expect(head).toMatchObject({ VersionId: first, ContentLength: 1 });
    expect(await failureOf(text(Bucket, "k", "0".repeat(20)))).toMatchObject({ name: "NoSuchVersion", status: 404 });
  });

  it("come back when the newer one is removed for good", async () => {
    const Bucket = await newBucket("Enabled");
    const first = await put(Bucket, "k", "1");
    const second = await put(Bucket, "k", "2");
    expect(await remove(Bucket, "k", second)).toMatchObject({ VersionId: second });
    expect(await text(Bucket, "k")).toBe("1");
    expect(await history(Bucket)).toEqual([`k@${first}*`]);
  });

  it("can be copied from, which makes the old bytes the newest version", async () => {
    const Bucket = await newBucket("Enabled");
    const first = await put(Bucket, "k", "1");
    await put(Bucket, "k", "2");
    const CopySource = `${Bucket}/k?versionId=${first}`;
    const copied = await s3.client.send(new CopyObjectCommand({ Bucket, Key: "k", CopySource }));
    expect(copied.CopySourceVersionId).toBe(first);
    expect(copied.VersionId).toBeDefined();
    expect(await text(Bucket, "k")).toBe("1");
    expect(await history(Bucket)).toHaveLength(3);
  });

  it("are paged through by key and version", async () => {
    const Bucket = await newBucket("Enabled");
    for (const body of ["1", "2", "3"]) await put(Bucket, "a", body);
    await put(Bucket, "b/x", "1");
    await put(Bucket, "b/y", "1");
    await put(Bucket, "c", "1");
    const whole = await history(Bucket);
    const seen: string[] = [];
    let at: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await s3.client.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 2, ...at }));
      seen.push(
        ...(page.Versions ?? []).map((each) => `${each.Key}@${each.VersionId}${each.IsLatest === true ? "*" : ""}`),
      );
      if (page.IsTruncated !== true) break;
      at = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    expect(seen).toEqual(whole);
    const folded = await s3.client.send(new ListObjectVersionsCommand({ Bucket, Delimiter: "/", Prefix: "" }));
    expect(folded.CommonPrefixes).toEqual([{ Prefix: "b/" }]);
    expect(folded.Versions).toHaveLength(4);
  });
});

describe("deleting without a version", () => {
  it("leaves a marker that hides the object, and removing the marker brings it back", async () => {
    const Bucket = await newBucket("Enabled");
    const version = await put(Bucket, "k", "1");
    const deleted = await remove(Bucket, "k");
    expect(deleted).toMatchObject({ DeleteMarker: true });
    expect(await failureOf(text(Bucket, "k"))).toMatchObject({ name: "NoSuchKey", status: 404 });
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
    expect(await history(Bucket)).toEqual([`k@${version}`, `-k@${deleted.VersionId}*`]);
    expect(await failureOf(text(Bucket, "k", deleted.VersionId))).toMatchObject({
      name: "MethodNotAllowed",
      status: 405,
    });
    expect(await text(Bucket, "k", version)).toBe("1");
    const undone = await remove(Bucket, "k", deleted.VersionId);
    expect(undone).toMatchObject({ DeleteMarker: true, VersionId: deleted.VersionId });
    expect(await text(Bucket, "k")).toBe("1");
  });

  it("while versioning is suspended removes the version called null, and keeps the others", async () => {
    const Bucket = await newBucket("Enabled");
    const kept = await put(Bucket, "k", "kept");
    await setVersioning(Bucket, "Suspended");
    await put(Bucket, "k", "null 1");
    await put(Bucket, "k", "null 2");
    expect(await history(Bucket)).toEqual(["k@null*", `k@${kept}`]);
    await remove(Bucket, "k");
    expect(await history(Bucket)).toEqual([`k@${kept}`, "-k@null*"]);
    expect(await text(Bucket, "k", kept)).toBe("kept");
  });
});

describe("DeleteObjects", () => {
  it("takes versions and keys, says what became of each, and is silent when asked", async () => {
    const Bucket = await newBucket("Enabled");
    const version = await put(Bucket, "a", "1");
    await put(Bucket, "b", "1");
    const { Deleted, Errors } = await s3.client.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: {
          Objects: [{ Key: "a", VersionId: version }, { Key: "b" }, { Key: "never" }, { Key: "x".repeat(1025) }],
        },
      }),
    );
    expect(Deleted).toMatchObject([
      { Key: "a", VersionId: version },
      { Key: "b", DeleteMarker: true },
      { Key: "never" },
    ]);
    expect(Errors).toMatchObject([{ Code: "KeyTooLongError" }]);
    const quiet = await s3.client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "c" }], Quiet: true } }),
    );
    expect(quiet.Deleted).toBeUndefined();
  });

  it("takes odd keys as they are", async () => {
    const Bucket = await newBucket(null);
    const odd = ["a b", " lead", "trail ", "<&>\"'", "ä/😀", "a//b", "new\nline", "tab\t"];
    for (const key of odd) await put(Bucket, key, "x");
    const { Deleted } = await s3.client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: odd.map((Key) => ({ Key })) } }),
    );
    expect(Deleted?.map(({ Key }) => Key)).toEqual(odd);
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
  });

  it("refuses more than 1,000 keys, and none", async () => {
    const Bucket = await newBucket(null);
    const Objects = Array.from({ length: 1001 }, (_, n) => ({ Key: `k${n}` }));
    const ask = (keys: typeof Objects) =>
      s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys } }));
    expect(await failureOf(ask(Objects))).toMatchObject({ name: "MalformedXML", status: 400 });
    expect(await failureOf(ask([]))).toMatchObject({ name: "MalformedXML" });
    expect((await ask(Objects.slice(1))).Deleted).toHaveLength(1000);
  });
});
