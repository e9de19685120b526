import { request as httpRequest, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import type { Bucket, StagedBlob, StoredObject } from "../core/object.ts";
import type { Principal } from "../core/principal.ts";
import { crc32c } from "../lib/crc32c.ts";
import { createLog } from "../lib/log.ts";
import { requestTarget, signRequest, type UnsignedRequest } from "../s3/sign-request.ts";
import type { ObjectCalls } from "../state/object-calls.ts";
import type { Upload } from "../state/state.ts";
import type { StoreDeps, StoreState } from "./call.ts";
import { createObjectStore, type ObjectStore } from "./server.ts";

const person = (subject: string, scopes: readonly string[] = []): Principal => ({
  issuer: "local",
  subject,
  groups: [],
  scopes,
  via: "sigv4",
});
const PEOPLE: Record<string, Principal> = { ADMIN: person("root", ["admin"]), ANN: person("ann"), BEN: person("ben") };

const bucketOf = (name: string, owner: string): Bucket => ({ name, owner, createdAt: 0, versioning: "off" });

function objectOf(blobId: string, text: string): StoredObject {
  const blockCrc32c = Buffer.alloc(4);
  blockCrc32c.writeUInt32BE(crc32c(Buffer.from(text)));
  return {
    ...{
      bucket: "anns",
      key: "k",
      versionSeq: 1,
      versionId: "null",
      isLatest: true,
      isDeleteMarker: false,
      sizeBytes: text.length,
    },
    ...{
      etag: blobId,
      contentType: "text/plain",
      metadata: {},
      headers: {},
      checksums: {},
      tags: {},
      parts: null,
      lastModified: 0,
    },
    ...{ owner: "ann", jobId: null, blob: { kind: "file", blobId }, blockCrc32c },
  };
}

async function unexpected(): Promise<never> {
  throw new Error("unexpected");
}

/** Calls that no test here makes. */
const NOT_HERE: ObjectCalls = {
  setVersioning: unexpected,
  bucketConfig: unexpected,
  setBucketConfig: unexpected,
  bucketsWithConfig: unexpected,
  objectVersion: unexpected,
  listVersions: unexpected,
  deleteObjects: unexpected,
  copyObject: unexpected,
  setObjectTags: unexpected,
  createUpload: unexpected,
  multipartUpload: unexpected,
  listUploads: unexpected,
  putPart: unexpected,
  parts: unexpected,
  completeUpload: unexpected,
  abortUpload: unexpected,
  forgetCompletedUploads: unexpected,
};

/** A state of two buckets, whose calls a test may replace. */
function fakeState(changes: Partial<StoreState>): StoreState {
  const buckets = [bucketOf("anns", "ann"), bucketOf("bens", "ben")];
  return {
    ...NOT_HERE,
    createBucket: async (by, name) => bucketOf(name, by.subject),
    deleteBucket: async () => undefined,
    bucketConfig: async () => null,
    bucket: async (name) => buckets.find((bucket) => bucket.name === name) ?? null,
    buckets: async (owner) => buckets.filter((bucket) => owner === null || bucket.owner === owner),
    commitUpload: unexpected,
    objectVersion: async () => null,
    listObjects: async () => ({ objects: [], commonPrefixes: [], next: null }),
    deleteObjects: async () => [],
    subscribe: () => () => undefined,
    ...changes,
  };
}

const staged = (blobId: string): StagedBlob => ({
  blobId,
  sizeBytes: 1,
  md5: "9dd4e461268c8034f5c8564e155c67a6",
  blockCrc32c: new Uint8Array(4),
  inline: null,
});

let store: ObjectStore | undefined;
let logged: string[];

afterEach(() => store?.close(0));

async function start(state: Partial<StoreState>, blobs: Partial<StoreDeps["blobs"]> = {}): Promise<number> {
  logged = [];
  store = createObjectStore({
    state: fakeState(state),
    blobs: {
      stage: async () => staged("new"),
      read: () => Readable.from([]),
      pour: async () => undefined,
      readSmall: async () => Buffer.from("bytes"),
      discard: async () => undefined,
      ...blobs,
    },
    parts: { addPart: unexpected, complete: unexpected, forget: unexpected },
    identity: {
      accessKey: async (id) => {
        const principal = PEOPLE[id];
        return principal === undefined ? null : { secretKey: "s", principal };
      },
    },
    hosts: [],
    log: createLog("info", (line) => logged.push(line)),
  });
  return store.listen("127.0.0.1", 0);
}

async function call(port: number, accessKeyId: string, request: Omit<UnsignedRequest, "host">, body = "") {
  const headers = signRequest(
    { ...request, host: `127.0.0.1:${port}` },
    { credentials: { accessKeyId, secretKey: "s" }, at: Date.now() },
  );
  const path = requestTarget(request.path, request.query);
  const outgoing = httpRequest({ port, host: "127.0.0.1", method: request.method, path, headers, agent: false });
  outgoing.end(body);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  const text = (await buffer(answer)).toString();
  return { status: answer.statusCode, text, code: /<Code>(\w+)</.exec(text)?.[1] };
}

describe("whose bucket it is", () => {
  const calls: ReadonlyArray<Omit<UnsignedRequest, "host">> = [
    { method: "GET", path: "/anns" },
    { method: "GET", path: "/anns", query: [["list-type", "2"]] },
    { method: "GET", path: "/anns", query: [["location", ""]] },
    { method: "GET", path: "/anns/k" },
    { method: "PUT", path: "/anns/k" },
    { method: "DELETE", path: "/anns/k" },
    { method: "DELETE", path: "/anns" },
  ];

  it.each(
    calls.map((request) => [`${request.method} ${requestTarget(request.path, request.query)}`, request] as const),
  )("%s of somebody else's is answered as if there were none", async (_, request) => {
    const port = await start({ objectVersion: async () => objectOf("b", "bytes") });
    const foreign = await call(port, "BEN", request);
    const none = await call(port, "BEN", { ...request, path: request.path.replace("anns", "none") });
    expect(foreign).toMatchObject({ status: 404, code: "NoSuchBucket" });
    expect(none).toMatchObject({ status: 404, code: "NoSuchBucket" });
  });

  it("lists a person's own, and all for the administrator", async () => {
    const port = await start({});
    const names = async (who: string) =>
      [...(await call(port, who, { method: "GET", path: "/" })).text.matchAll(/<Name>(\w+)</g)].map(
        (match) => match[1],
      );
    expect(await names("ANN")).toEqual(["anns"]);
    expect(await names("ADMIN")).toEqual(["anns", "bens"]);
    expect((await call(port, "NOBODY", { method: "GET", path: "/" })).code).toBe("InvalidAccessKeyId");
  });

  it("says whether a name is taken by oneself or by others", async () => {
    const port = await start({
      createBucket: async () => {
        throw new SluiceError("BUCKET_EXISTS", "Cannot create it: it exists");
      },
    });
    expect((await call(port, "ANN", { method: "PUT", path: "/anns" })).code).toBe("BucketAlreadyOwnedByYou");
    expect((await call(port, "ANN", { method: "PUT", path: "/bens" })).code).toBe("BucketAlreadyExists");
  });
});

describe("a blob that is unlinked between the look at its row and the open", () => {
  const gone = (blobId: string) => async (object: { blob: { blobId: string } }) => {
    if (object.blob.blobId === blobId)
      throw new SluiceError("OBJECT_UNKNOWN", "Cannot read the object: its blob is gone");
    return Buffer.from("newer");
  };

  it("makes the row be read once more, and gives what is there now", async () => {
    const versions = [objectOf("old", "bytes"), objectOf("new", "newer")];
    const port = await start({ objectVersion: async () => versions.shift() ?? null }, { readSmall: gone("old") });
    expect(await call(port, "ANN", { method: "GET", path: "/anns/k" })).toMatchObject({ status: 200, text: "newer" });
  });

  it("gives NoSuchKey when the object is gone, and an error when the row still names the blob", async () => {
    const versions = [objectOf("old", "bytes")];
    const port = await start({ objectVersion: async () => versions.shift() ?? null }, { readSmall: gone("old") });
    expect((await call(port, "ANN", { method: "GET", path: "/anns/k" })).code).toBe("NoSuchKey");
    await store?.close(0);
    const lost = await start({ objectVersion: async () => objectOf("old", "bytes") }, { readSmall: gone("old") });
    expect(await call(lost, "ANN", { method: "GET", path: "/anns/k" })).toMatchObject({
      status: 500,
      code: "InternalError",
    });
    expect(logged.join()).toContain("DATA_CORRUPT");
  });
});

describe("an upload", () => {
  it("hands the state what the client said, and the client what the state decided", async () => {
    let seen: Upload | undefined;
    const port = await start({
      commitUpload: async (upload) => {
        seen = upload;
        return { object: objectOf("etag-of-it", "x"), jobIds: [] };
      },
    });
    const headers = { "content-type": "image/png", "x-amz-meta-a": "1", "if-none-match": "*" };
    expect((await call(port, "ANN", { method: "PUT", path: "/anns/a b", headers }, "x")).status).toBe(200);
    expect(seen).toMatchObject({
      by: { subject: "ann" },
      bucket: "anns",
      key: "a b",
      contentType: "image/png",
      metadata: { a: "1" },
      condition: { ifNoneMatch: "*" },
      lineage: null,
    });
  });

  it.each([
    [new SluiceError("PRECONDITION_FAILED", "Cannot write: no"), 412, "PreconditionFailed"],
    [new SluiceError("BUCKET_UNKNOWN", "Cannot write: no"), 404, "NoSuchBucket"],
    [new SluiceError("DISK_FULL", "Cannot write: no"), 507, "XMinioStorageFull"],
    [new Error("a defect with a secret"), 500, "InternalError"],
  ])("that the state refuses leaves no blob: %s", async (error, status, code) => {
    const discarded: string[] = [];
    const port = await start(
      {
        commitUpload: async () => {
          throw error;
        },
      },
      { discard: async (ids) => void discarded.push(...ids) },
    );
    const answer = await call(port, "ANN", { method: "PUT", path: "/anns/k" }, "x");
    expect(answer).toMatchObject({ status, code });
    expect(answer.text).not.toContain("secret");
    expect(discarded).toEqual(["new"]);
  });

  it("that is empty or small enough for its row has no blob to leave", async () => {
    const discarded: string[] = [];
    const port = await start(
      {},
      {
        stage: async () => ({ ...staged("in-row"), inline: new Uint8Array(1) }),
        discard: async (ids) => void discarded.push(...ids),
      },
    );
    expect((await call(port, "ANN", { method: "PUT", path: "/anns/k" }, "x")).code).toBe("InternalError");
    expect(discarded).toEqual([]);
  });
});
