import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { busyboxLayer, layerOf, put, scratchLayer, writeLayout } from "./support/images.ts";
import { joinPlatforms } from "./support/platforms.ts";
import { type Registry, startRegistry } from "./support/registry.ts";
import { listHere, tagOnlyImage, treeLines, umoci, unpackByUmoci } from "./support/tree.ts";
import { treeInJob } from "./support/tree-in-job.ts";

/** One image in every form in which the usual tools write images: each is the same files as umoci unpacks. */

const HERE = process.arch === "arm64" ? "arm64" : "amd64";

let folder: string;
let registry: Registry;
let server: RunningServer;
let expected: string[];
const layout = (): string => join(folder, "layout");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-forms-"));
  registry = await startRegistry();
  server = await startServer();
  makeImage();
  expected = treeLines(listHere(unpackByUmoci(`${layout()}:2`, join(folder, "seen")), ["tree"], ["busybox", "sh"]));
});
afterAll(async () => {
  await server?.stop();
  registry?.stop();
  rmSync(folder, { recursive: true });
});

/** Three layers, of which umoci made two: it takes away, puts another thing in a thing's place, and hides a folder whole. */
function makeImage(): void {
  const tree = layerOf((root) => {
    for (const name of ["kept", "gone", "gone-folder/a/b", "hidden/old", "file-to-folder", "folder-to-file/a"])
      put(root, `tree/${name}`, `${name}\n`);
    put(root, "tree/program", "#!/bin/sh\n", 0o4755);
    put(root, `tree/${"long-".repeat(30)}name/${"é".repeat(60)}`, "a long name\n", 0o600);
    execFileSync("ln", ["-s", "../tree/kept", join(root, "tree/symlink")]);
    execFileSync("ln", [join(root, "tree/kept"), join(root, "tree/hard-link")]);
  });
  writeLayout(layout(), [busyboxLayer(), tree]);
  tagOnlyImage(layout(), "0");
  const bundle = join(folder, "bundle");
  const root = join(unpackByUmoci(`${layout()}:0`, bundle), "tree");
  execFileSync("sh", ["-ec", CHANGES], { cwd: root });
  umoci("repack", "--image", `${layout()}:1`, bundle);
  put(folder, "insert/new", "new\n");
  umoci("insert", "--image", `${layout()}:1`, "--tag", "2", "--opaque", join(folder, "insert"), "/tree/hidden");
}

const CHANGES = `
rm -r gone gone-folder file-to-folder folder-to-file
mkdir file-to-folder && echo inside >file-to-folder/inside
echo file >folder-to-file
echo changed >>kept
chmod 600 program
ln -sf nowhere symlink
: >empty
`;

function skopeoCopy(from: string, to: string, ...options: readonly string[]): void {
  execFileSync("skopeo", ["--insecure-policy", "copy", "--quiet", ...options, from, to], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function archive(kind: "docker-archive" | "oci-archive"): string {
  const path = join(folder, `${kind}.tar`);
  rmSync(path, { force: true });
  skopeoCopy(`oci:${layout()}:2`, kind === "docker-archive" ? `${kind}:${path}:tool:2` : `${kind}:${path}`);
  return path;
}

/** skopeo compresses anew what is not compressed. */
function zstdLayout(): string {
  const [plain, path] = [join(folder, "plain"), join(folder, "zstd")];
  skopeoCopy(`oci:${layout()}:2`, `dir:${plain}`, "--dest-decompress");
  skopeoCopy(`dir:${plain}`, `oci:${path}`, "--dest-compress-format", "zstd");
  return path;
}

const seen = (image: string): Promise<string[]> => treeInJob(server, image, ["tree"]);

/** The digests of the images that are here, by their names. */
async function digests(): Promise<Record<string, string>> {
  const images: { digest: string; references: string[] }[] = JSON.parse(
    (await server.cli(["images", "-o", "json"])).stdout,
  );
  return Object.fromEntries(images.flatMap(({ digest, references }) => references.map((name) => [name, digest])));
}

it("the image is as this test means it", () => {
  const text = expected.join("\n");
  for (const there of ["tree/kept", "tree/hidden/new", "tree/file-to-folder/inside", "tree/empty"])
    expect(text).toContain(there);
  for (const gone of ["tree/gone", "tree/hidden/old", "tree/folder-to-file/a", ".wh."])
    expect(text).not.toContain(gone);
});

describe("a registry's image", () => {
  it.each<[string, () => string, string[], string]>([
    ["of gzip", () => `${layout()}:2`, ["--preserve-digests"], "application/vnd.oci.image.layer.v1.tar+gzip"],
    ["of zstd", zstdLayout, ["--preserve-digests"], "application/vnd.oci.image.layer.v1.tar+zstd"],
    ["docker", () => `${layout()}:2`, ["--format", "v2s2"], "application/vnd.docker.image.rootfs.diff.tar.gzip"],
  ])("%s", async (form, from, options, mediaType) => {
    const name = `forms/${form.replace(" ", "-")}:2`;
    registry.push(from(), name, options);
    const { layers } = registry.manifest(name);
    expect(layers?.map((layer) => layer.mediaType)).toEqual(Array(4).fill(mediaType));
    expect(await seen(`${registry.host}/${name}`)).toEqual(expected);
    expect((await digests())[`${registry.host}/${name}`]).toBe(registry.digest(name));
  });

  it("for several platforms: the one for this machine", async () => {
    const own = join(folder, "own");
    skopeoCopy(`oci:${layout()}:2`, `oci:${own}`);
    const other = join(folder, "other");
    writeLayout(other, [scratchLayer()], {}, "s390x");
    const [digest] = joinPlatforms([
      { folder: own, architecture: HERE },
      { folder: other, architecture: "s390x" },
    ]);
    registry.push(own, "forms/many:2", ["--all"]);
    expect(registry.manifest("forms/many:2").mediaType).toBe("application/vnd.oci.image.index.v1+json");
    expect(await seen(`${registry.host}/forms/many:2`)).toEqual(expected);
    expect((await digests())[`${registry.host}/forms/many:2`]).toBe(digest);
    expect(await seen(`file:${own}`)).toEqual(expected);
  });
});

describe("an image in a file", () => {
  it("of docker save, as it is, by gzip and by zstd", async () => {
    const path = archive("docker-archive");
    expect(await seen(`file:${path}`)).toEqual(expected);
    expect(await seen(`file:${path}:2`)).toEqual(expected);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 1 }));
    expect(await seen(`file:${path}.gz`)).toEqual(expected);
    writeFileSync(`${path}.zst`, zstdCompressSync(readFileSync(path)));
    expect(await seen(`file:${path}.zst`)).toEqual(expected);
  });

  it("an OCI layout, packed and as a folder with several tags", async () => {
    expect(await seen(`file:${archive("oci-archive")}`)).toEqual(expected);
    expect(await seen(`file:${layout()}:2`)).toEqual(expected);
    await expect(seen(`file:${layout()}`)).rejects.toThrow(/IMAGE_UNKNOWN.*it holds 0, 1, 2/);
  });
});
