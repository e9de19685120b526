import { expect, it } from "vitest";
import type { ObjectInfo } from "../../core/object.ts";
import { SYSTEM_PRINCIPAL } from "../../core/principal.ts";
import { createLog } from "../../lib/log.ts";
import type { DeleteTarget, MultipartUpload, VersionQuery } from "../../state/object-calls.ts";
import { dueAt } from "./due.ts";
import { Lifecycle } from "./lifecycle.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 30);

/** A version `days` old; keys and versions come in the order of a listing. */
const version = (key: string, days: number, over: Partial<ObjectInfo> = {}): ObjectInfo => ({
  ...{
    bucket: "b",
    key,
    versionSeq: 1,
    versionId: `${key}@${days}`,
    isLatest: true,
    isDeleteMarker: false,
    sizeBytes: 10,
  },
  ...{
    etag: "e",
    contentType: "",
    metadata: {},
    headers: {},
    checksums: {},
    tags: {},
    parts: null,
    owner: "o",
    jobId: null,
  },
  lastModified: NOW - days * DAY,
  ...over,
});
const older = (key: string, days: number): ObjectInfo => version(key, days, { isLatest: false });
const marker = (key: string, days: number): ObjectInfo => version(key, days, { isDeleteMarker: true, sizeBytes: 0 });

interface Outcome {
  readonly removed: DeleteTarget[];
  readonly aborted: string[];
  readonly prefixes: string[];
}

async function carryOut(
  rules: string,
  versions: readonly ObjectInfo[],
  uploads: readonly MultipartUpload[] = [],
  othersBodies: readonly string[] = [],
): Promise<Outcome> {
  const outcome: Outcome = { removed: [], aborted: [], prefixes: [] };
  const lifecycle = new Lifecycle({
    state: {
      bucketsWithConfig: async () => [
        ...othersBodies.map((body) => ({ bucket: "other", body })),
        { bucket: "b", body: `<LifecycleConfiguration>${rules}</LifecycleConfiguration>` },
      ],
      // Pages of two, so that what is known of a key must be carried from page to page.
      listVersions: async ({ afterVersionId, prefix }: VersionQuery) => {
        if (afterVersionId === null) outcome.prefixes.push(prefix);
        const from = afterVersionId === null ? 0 : versions.findIndex((each) => each.versionId === afterVersionId) + 1;
        const page = versions.slice(from, from + 2);
        const last = page.at(-1);
        const next =
          last === undefined || from + 2 >= versions.length ? null : { key: last.key, versionId: last.versionId };
        return { versions: page, commonPrefixes: [], next };
      },
      deleteObjects: async (_by, _bucket, targets) => {
        outcome.removed.push(...targets);
        return [];
      },
      listUploads: async () => ({ uploads, commonPrefixes: [], next: null }),
      abortUpload: async (_bucket, _key, uploadId) => outcome.aborted.push(uploadId) > 0,
      forgetCompletedUploads: async () => 0,
    },
    parts: { forget: async () => undefined },
    by: SYSTEM_PRINCIPAL,
    clock: { now: () => NOW, monotonicMs: () => 0 },
    log: createLog(() => "error"),
  });
  await lifecycle.run();
  return outcome;
}

const rule = (what: string, filter = "<Filter/>"): string => `<Rule><Status>Enabled</Status>${filter}${what}</Rule>`;
const days = (count: number): string => `<Expiration><Days>${count}</Days></Expiration>`;

it("counts whole days, to the midnight that follows", () => {
  expect(dueAt(Date.UTC(2026, 0, 1, 10, 30), 3)).toBe(Date.UTC(2026, 0, 5));
  expect(dueAt(Date.UTC(2026, 0, 1), 3)).toBe(Date.UTC(2026, 0, 4));
});

it("expires the latest versions that are old enough and match, when they are still what was seen", async () => {
  const { removed } = await carryOut(rule(days(5), "<Filter><Prefix>in/</Prefix></Filter>"), [
    version("in/new", 4.5),
    version("in/old", 6),
    version("out/old", 6),
  ]);
  expect(removed).toEqual([{ key: "in/old", ifMatch: "e" }]);
});

it("looks at sizes and tags", async () => {
  const filter = `<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>`;
  const { removed } = await carryOut(rule(days(1), filter), [
    version("a", 9),
    version("b", 9, { tags: { k: "v" } }),
    version("c", 9, { tags: { k: "v" }, sizeBytes: 5 }),
  ]);
  expect(removed.map(({ key }) => key)).toEqual(["b"]);
});

it("counts the age of an older version from the moment that it was replaced", async () => {
  const noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>";
  const { removed } = await carryOut(rule(noncurrent), [
    version("a", 2),
    older("a", 9),
    older("a", 20),
    version("b", 9),
  ]);
  expect(removed).toEqual([{ key: "a", versionId: "a@20" }]);
});

it("keeps as many older versions as it is told", async () => {
  const noncurrent =
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
  const versions = [
    version("a", 5),
    older("a", 6),
    older("a", 7),
    older("a", 8),
    older("a", 9),
    version("b", 5),
    older("b", 6),
  ];
  const { removed } = await carryOut(rule(noncurrent), versions);
  expect(removed.map(({ versionId }) => versionId)).toEqual(["a@8", "a@9"]);
});

it("removes a delete marker that hides nothing, and no other", async () => {
  const markers = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
  const { removed } = await carryOut(rule(markers), [marker("a", 5), marker("b", 5), older("b", 9), version("c", 5)]);
  expect(removed).toEqual([{ key: "a", versionId: "a@5" }]);
});

it("asks for no more keys than its rules are about", async () => {
  const prefixed = (prefix: string): string => rule(days(1), `<Filter><Prefix>${prefix}</Prefix></Filter>`);
  expect((await carryOut(prefixed("in/a") + prefixed("in/b"), [])).prefixes).toEqual(["in/"]);
  expect((await carryOut(prefixed("in/") + rule(days(1)), [])).prefixes).toEqual([""]);
  expect((await carryOut(prefixed("\u{1F600}") + prefixed("\u{1F601}"), [])).prefixes).toEqual([""]);
});

it("goes on with other buckets when one's rules cannot be read", async () => {
  const { removed } = await carryOut(rule(days(1)), [version("a", 9)], [], ["<broken"]);
  expect(removed.map(({ key }) => key)).toEqual(["a"]);
});

it("does nothing for a rule that is off", async () => {
  const off = rule(days(1)).replace("Enabled", "Disabled");
  expect((await carryOut(off, [version("a", 9)])).removed).toEqual([]);
});

it("aborts uploads that were begun long ago", async () => {
  const upload = (uploadId: string, key: string, age: number): MultipartUpload => ({
    ...{
      uploadId,
      bucket: "b",
      key,
      contentType: "",
      metadata: {},
      headers: {},
      tags: {},
      checksum: null,
      lineage: null,
    },
    ...{ owner: "o", initiatedAt: NOW - age * DAY, assembly: null, completed: null },
  });
  const abort =
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
  const filter = "<Filter><Prefix>in/</Prefix></Filter>";
  const uploads = [upload("young", "in/a", 6), upload("old", "in/b", 8), upload("other", "x", 8)];
  expect((await carryOut(rule(abort, filter), [], uploads)).aborted).toEqual(["old"]);
});
