import { expect, test } from "vitest";
import { Findings } from "./findings.ts";
import { storageEntry } from "./storage-entry.ts";

function read(entry: Record<string, string>, side: "input" | "output" = "input") {
  const findings = new Findings();
  const built = storageEntry(entry, side, "thumbs", [side, 0], findings);
  return {
    place: built && `${built.bucket}|${built.folder}`,
    problems: findings.problems.map(({ message }) => message),
  };
}

test.each([
  ["photos/in", "photos|in"],
  ["photos/in/", "photos|in"],
  ["/photos/in", "photos|in"],
  [" photos/in ", "photos|in"],
  ["photos/a/b/c", "photos|a/b/c"],
  ["photos/a//b", "photos|a//b"],
  ["photos/../x", "photos|../x"],
  ["photos/", "photos|"],
  ["photos//", "photos|"],
  ["in", "thumbs|in"],
  ["/in", "thumbs|in"],
  ["photos/out/{date}/{stem}", "photos|out/{date}/{stem}"],
  ["my.bucket-1/é 🖼", "my.bucket-1|é 🖼"],
])("the path %j means %s", (path, place) => {
  expect(read({ path })).toEqual({ place, problems: [] });
});

test.each([
  ["", "the path is empty"],
  [" / ", "the path is empty"],
  ["Photos/in", 'cannot use "Photos" as a bucket name'],
  ["a/in", 'cannot use "a" as a bucket name'],
  ["{date}/in", 'cannot use "{date}" as a bucket name'],
  ["192.168.0.1/in", "cannot use"],
  [`photos/${"x".repeat(1023)}`, "cannot use the object key: it has 1025 bytes"],
])("the path %j is refused", (path, message) => {
  const { place, problems } = read({ path });
  expect(place).toBeNull();
  expect(problems).toEqual([expect.stringContaining(message)]);
});

test.each(["minio", "MinIO", "minio.default", "", " minio "])(
  "the provider %j is the store of this server",
  (provider) => {
    expect(read({ path: "photos/in", storage_provider: provider }).problems).toEqual([]);
  },
);

test.each([
  ["s3", "input", 'this server takes no files from the outside provider "s3" yet'],
  ["rucio.x", "output", 'this server delivers no files to the outside provider "rucio.x" yet'],
  ["minio.other", "output", 'this server delivers no files to the outside provider "minio.other" yet'],
  ["mino", "input", 'unknown storage provider "mino"'],
  ["ftp.x", "output", 'unknown storage provider "ftp.x"'],
] as const)("the provider %j as %s is refused", (provider, side, message) => {
  expect(read({ path: "photos/in", storage_provider: provider }, side).problems).toEqual([message]);
});
