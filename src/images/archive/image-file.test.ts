import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../testing/fake-registry.ts";
import { endOfTar, file, hardLink, pax, symlinkTo, tarMember } from "../testing/make-tar.ts";
import { type ImageFileOptions, openImageFile } from "./image-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-archive-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SIGNAL = new AbortController().signal;
const HERE = process.arch === "arm64" ? "arm64" : "amd64";
const LAYER = "the bytes of a layer, which nobody looks at here";

const open = (name: string, folders: readonly string[] | null = null, over: Partial<ImageFileOptions> = {}) =>
  openImageFile(name, {
    folders,
    scratch: join(folder, "scratch"),
    maxBytes: 2 ** 20,
    freeBytes: async () => 2 ** 30,
    signal: SIGNAL,
    ...over,
  });

const config = (layers: number, architecture = HERE): string =>
  JSON.stringify({
    architecture,
    os: "linux",
    config: { User: "ada" },
    rootfs: { type: "layers", diff_ids: Array(layers).fill(sha256(LAYER)) },
  });

function write(name: string, ...members: readonly Buffer[]): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat([...members, endOfTar]));
  return path;
}

/** As `docker save` of before 2023 writes it. */
function dockerSave(tags: readonly string[] = ["tool:1"]): Buffer[] {
  const entries = tags.map((tag, at) => ({ Config: `${at}.json`, RepoTags: [tag], Layers: ["a/layer.tar"] }));
  return [
    file("a/layer.tar", LAYER),
    ...tags.map((_, at) => file(`${at}.json`, config(1).replace("ada", `user-${at}`))),
    file("manifest.json", JSON.stringify(entries)),
  ];
}

/** The files of an OCI layout, by name. */
function layout(architecture = HERE, names: readonly string[] = ["1"]): Record<string, string> {
  const files: Record<string, string> = { "oci-layout": '{"imageLayoutVersion":"1.0.0"}' };
  const add = (text: string): { digest: string; size: number } => {
    files[`blobs/${sha256(text).replace(":", "/")}`] = text;
    return { digest: sha256(text), size: text.length };
  };
  const manifests = names.map((name) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    ...add(
      JSON.stringify({
        config: { mediaType: "c", ...add(config(1, architecture).replace("ada", name)) },
        layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...add(LAYER) }],
      }),
    ),
    annotations: { "org.opencontainers.image.ref.name": name },
  }));
  files["index.json"] = JSON.stringify({ manifests });
  return files;
}

const asTar = (files: Record<string, string>): Buffer[] =>
  Object.entries(files).map(([name, text]) => file(name, text));

function asFolder(files: Record<string, string>): string {
  const root = join(folder, "layout");
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

async function read(name: string): Promise<{ user: string; layer: string; digest: string }> {
  const source = await open(name);
  try {
    const { config: found, layers, digest } = await source.manifest(SIGNAL);
    const [layer] = layers;
    if (layer === undefined) throw new Error("no layer");
    const pieces = await Array.fromAsync(source.blob(layer, 4, SIGNAL));
    return { user: found.user, layer: Buffer.concat(pieces).toString(), digest };
  } finally {
    await source.close();
  }
}

describe("an archive of docker save", () => {
  it("is an image, named by its config's digest", async () => {
    expect(await read(write("tool.tar", ...dockerSave()))).toEqual({
      user: "user-0",
      layer: LAYER.slice(4),
      digest: sha256(config(1).replace("ada", "user-0")),
    });
  });

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
    [
      "zstd of several frames",
      (bytes: Buffer) =>
        Buffer.concat([zstdCompressSync(bytes.subarray(0, 600)), zstdCompressSync(bytes.subarray(600))]),
    ],
  ] as const)("may be compressed (%s), and leaves nothing unpacked", async (_, compress) => {
    const path = join(folder, "tool.tar.x");
    writeFileSync(path, compress(Buffer.concat([...dockerSave(), endOfTar])));
    expect((await read(path)).layer).toBe(LAYER.slice(4));
    expect(readdirSync(join(folder, "scratch"))).toEqual([]);
  });

  it("of several images is asked by a tag", async () => {
    const path = write("two.tar", ...dockerSave(["tool:1", "registry.example/tool:2"]));
    expect((await read(`${path}:2`)).user).toBe("user-1");
    await expect(read(path)).rejects.toThrow(/holds tool:1, registry.example\/tool:2 \(write file:PATH:TAG\)/);
    await expect(read(`${path}:3`)).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
  });

  it("may share layers by links, and name files by long headers", async () => {
    const long = `${"d/".repeat(60)}layer.tar`;
    const manifest = JSON.stringify([{ Config: "c.json", Layers: ["b/layer.tar"] }]);
    for (const link of [symlinkTo("b/layer.tar", `../${long.slice(0, 80)}`), hardLink("b/layer.tar", "x")]) {
      const path = write(
        "links.tar",
        pax({ path: long }),
        file("short", LAYER),
        pax({ linkpath: link[156] === 50 ? `../${long}` : long }),
        link,
        file("c.json", config(1)),
        file("manifest.json", manifest),
      );
      expect((await read(path)).layer).toBe(LAYER.slice(4));
    }
  });
});

describe("an OCI layout", () => {
  it("may be an archive or a folder", async () => {
    const expected = { user: "1", layer: LAYER.slice(4), digest: expect.stringMatching(/^sha256:/) as string };
    expect(await read(write("layout.tar", ...asTar(layout())))).toEqual(expected);
    expect(await read(asFolder(layout()))).toEqual(expected);
  });

  it("of several images is asked by a tag", async () => {
    const path = asFolder(layout(HERE, ["1", "2"]));
    expect((await read(`${path}:2`)).user).toBe("2");
    await expect(read(path)).rejects.toThrow(/holds 1, 2/);
  });

  it("for another machine is refused", async () => {
    await expect(read(asFolder(layout("s390x")))).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
  });

  it("whose blobs are not what they are called is refused", async () => {
    const files = layout();
    for (const name of Object.keys(files)) if (files[name]?.includes("rootfs")) files[name] += " ";
    await expect(read(asFolder(files))).rejects.toThrow(/config is not the one of its digest/);
  });

  it("leads nowhere by links", async () => {
    const files = layout();
    const root = asFolder(files);
    const secret = join(folder, "secret");
    writeFileSync(secret, files["index.json"] ?? "");
    rmSync(join(root, "index.json"));
    symlinkSync(secret, join(root, "index.json"));
    await expect(read(root)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    rmSync(join(root, "index.json"));
    writeFileSync(join(root, "index.json"), files["index.json"] ?? "");
    rmSync(join(root, "blobs"), { recursive: true });
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), join(root, "blobs"));
    await expect(read(root)).rejects.toThrow(/has no file/);
  });
});

describe("a file that is no image", () => {
  it.each([
    ["text", "hello, this is a text and nothing else"],
    ["empty", ""],
    ["a cut archive", dockerSave()[0]?.subarray(0, 520) ?? ""],
    ["an archive of something else", Buffer.concat([file("readme", "x"), endOfTar])],
    ["a broken gzip", gzipSync("x".repeat(1000)).subarray(0, 20)],
    ["a member that is larger than the archive", tarMember("manifest.json", { size: 2 ** 30 })],
    ["a manifest of nonsense", Buffer.concat([file("manifest.json", '[{"Config":5}]'), endOfTar])],
    ["a manifest that names no file", Buffer.concat([file("manifest.json", '[{"Config":"x","Layers":[]}]'), endOfTar])],
    ["links in circles", Buffer.concat([symlinkTo("manifest.json", "a"), symlinkTo("a", "manifest.json"), endOfTar])],
  ])("%s", async (_, bytes) => {
    const path = join(folder, "bad.tar");
    writeFileSync(path, bytes);
    await expect(read(path)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("a bomb is stopped", async () => {
    const path = join(folder, "bomb.tar.gz");
    writeFileSync(path, gzipSync(Buffer.alloc(2 ** 21)));
    await expect(open(path)).rejects.toThrow(/more than 1048576 bytes/);
    expect(readdirSync(join(folder, "scratch"))).toEqual([]);
  });

  it("more than the disk has, or wanted no more, is stopped", async () => {
    const path = join(folder, "large.tar.gz");
    writeFileSync(path, gzipSync(Buffer.alloc(2 ** 19)));
    await expect(open(path, null, { freeBytes: async () => 1000 })).rejects.toMatchObject({ code: "DISK_FULL" });
    await expect(open(path, null, { signal: AbortSignal.abort(new Error("left")) })).rejects.toThrow("left");
    expect(readdirSync(join(folder, "scratch"))).toEqual([]);
  });
});

describe("where a file may lie", () => {
  it("is said by the configuration, links resolved; what is outside answers as what is not there", async () => {
    const path = write("tool.tar", ...dockerSave());
    mkdirSync(join(folder, "images"));
    const allowed = [join(folder, "images")];
    symlinkSync(path, join(folder, "images", "link.tar"));
    const denied: unknown[] = [];
    for (const name of [
      path,
      join(folder, "images", "link.tar"),
      join(folder, "none"),
      `${folder}/images/../tool.tar`,
    ]) {
      await open(name, allowed).catch((error: { code: string; message: string }) => denied.push(error.code));
    }
    expect(denied).toEqual(Array(4).fill("IMAGE_DENIED"));
    await (await open(path, [folder])).close();
    await expect(open(join(folder, "none"))).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
    await expect(open("tool.tar")).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
    await expect(open("/dev/null")).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });
});
