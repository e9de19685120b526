import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Egress } from "../../lib/egress.ts";
import type { Credentials } from "../credentials.ts";
import type { ImageSource } from "../image.ts";
import { parseImageReference } from "../reference.ts";
import { type FakeRegistry, fakeRegistry, sha256 } from "../testing/fake-registry.ts";
import { registrySource } from "./registry.ts";

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await fakeRegistry();
});
afterEach(() => registry.close());

const SIGNAL = new AbortController().signal;
const LAYER = { bytes: gzipSync("a layer"), diffId: sha256("a layer") };
const egress = new Egress({ namedHosts: [], allowPrivate: true, ownPorts: () => [] });
const ADA: Credentials = { username: "ada", password: "hush", identityToken: "" };

function source(
  name = "tools/one:1",
  credentials: Credentials | null = null,
  mirrors: readonly string[] = [],
): ImageSource {
  const reference = parseImageReference(`${registry.host}/${name}`);
  return registrySource(reference, credentials, true, {
    egress,
    plainHosts: [],
    mirrors: { [registry.host]: mirrors },
  });
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(pieces));
}

describe("an image of a registry", () => {
  it("is its manifest, its config and its layers", async () => {
    const config = {
      config: {
        Env: ["PATH=/opt:/bin", "EMPTY=", "wrong"],
        WorkingDir: "data//x/..",
        User: "ada",
        Entrypoint: ["/run"],
        Cmd: null,
      },
    };
    const put = registry.put("tools/one", "1", [LAYER], config);
    const manifest = await source().manifest(SIGNAL);
    expect(manifest).toMatchObject({
      digest: put.digest,
      config: {
        env: { PATH: "/opt:/bin", EMPTY: "" },
        workingDirectory: "/data/x",
        user: "ada",
        entrypoint: ["/run"],
        command: [],
        diffIds: [LAYER.diffId],
      },
      layers: [{ digest: sha256(LAYER.bytes), sizeBytes: LAYER.bytes.length }],
    });
    const [layer] = manifest.layers;
    if (layer === undefined) throw new Error("no layer");
    expect(await bytesOf(source().blob(layer, 0, SIGNAL))).toEqual(LAYER.bytes);
  });

  it("goes on in the middle of a blob, with ranges and without", async () => {
    registry.put("tools/one", "1", [LAYER]);
    const blob = { digest: sha256(LAYER.bytes), mediaType: "", sizeBytes: LAYER.bytes.length };
    for (const knowsRanges of [true, false]) {
      registry.knowsRanges = knowsRanges;
      expect(await bytesOf(source().blob(blob, 5, SIGNAL))).toEqual(LAYER.bytes.subarray(5));
    }
  });

  it("is this machine's among many platforms", async () => {
    const put = registry.put("tools/one", "here", [LAYER]);
    const entry = (architecture: string, digest: string, variant?: string) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest,
      size: 1,
      platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
    });
    const here = process.arch === "arm64" ? "arm64" : "amd64";
    registry.putIndex("tools/one", "1", [
      entry("s390x", sha256("x")),
      entry(here, put.digest),
      entry("unknown", sha256("y")),
    ]);
    expect((await source().manifest(SIGNAL)).digest).toBe(put.digest);
    registry.putIndex("tools/one", "2", [entry("s390x", sha256("x")), entry("arm", sha256("y"), "v7")]);
    await expect(source("tools/one:2").manifest(SIGNAL)).rejects.toMatchObject({
      code: "IMAGE_UNSUPPORTED",
      message: expect.stringMatching(/is built for linux\/s390x, linux\/arm\/v7, and this machine is linux\//),
    });
  });

  it("of another architecture, without an index, is refused by its config", async () => {
    registry.put("tools/one", "1", [LAYER], { architecture: "s390x" });
    await expect(source().manifest(SIGNAL)).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
  });

  it("comes from a mirror first, and from the registry where that has none or fails", async () => {
    const mirror = await fakeRegistry();
    try {
      const put = mirror.put("tools/one", "1", [LAYER]);
      expect((await source("tools/one:1", ADA, [mirror.host]).manifest(SIGNAL)).digest).toBe(put.digest);
      expect(registry.calls).toEqual([]);
      registry.put("tools/two", "1", [LAYER]);
      await source("tools/two:1", ADA, [mirror.host]).manifest(SIGNAL);
      expect(registry.calls.length).toBeGreaterThan(0);
    } finally {
      await mirror.close();
    }
  });
});

describe("a private image", () => {
  it.each(["basic", "token"] as const)("comes with the right credentials (%s), and not without", async (kind) => {
    registry.put("tools/one", "1", [LAYER]);
    registry.auth = { kind, secret: "ada:hush" };
    await source("tools/one:1", ADA).manifest(SIGNAL);
    await expect(source().manifest(SIGNAL)).rejects.toMatchObject({
      code: "IMAGE_DENIED",
      message: expect.stringContaining("image_pull_secrets"),
    });
    const wrong = source("tools/one:1", { ...ADA, password: "guessed" }).manifest(SIGNAL);
    await expect(wrong).rejects.toMatchObject({ code: "IMAGE_DENIED" });
    await expect(wrong).rejects.not.toThrow(/guessed|hush/);
  });

  it("asks for one token for many calls", async () => {
    registry.put("tools/one", "1", [LAYER]);
    registry.auth = { kind: "token", secret: "ada:hush" };
    await source("tools/one:1", ADA).manifest(SIGNAL);
    expect(registry.calls.filter((call) => call === "GET /token")).toHaveLength(1);
  });

  it.each([
    ["a page instead of a manifest", "manifests"],
    ["a page instead of a blob", "blobs"],
  ])("comes from the registry where a mirror shows %s", async (_what, kind) => {
    const mirror = await fakeRegistry();
    try {
      for (const each of [mirror, registry]) each.put("tools/one", "1", [LAYER]);
      mirror.misbehave = (request, response) => {
        if (request.url?.includes(`/${kind}/`) !== true) return false;
        response.end("<html>Please log in");
        return true;
      };
      const mirrored = source("tools/one:1", null, [mirror.host]);
      const { layers } = await mirrored.manifest(SIGNAL);
      const [blob = { digest: "", mediaType: "", sizeBytes: 0 }] = layers;
      expect(LAYER.bytes.equals(await bytesOf(mirrored.blob(blob, 0, SIGNAL)))).toBe(true);
      expect(LAYER.bytes.subarray(5).equals(await bytesOf(mirrored.blob(blob, 5, SIGNAL)))).toBe(true);
    } finally {
      await mirror.close();
    }
  });

  it("takes another token where one ended before its time", async () => {
    registry.auth = { kind: "token", secret: "ada:hush" };
    registry.put("tools/one", "1", [LAYER]);
    let refusals = 0;
    registry.misbehave = (request, response) => {
      if (refusals > 0 || !request.url?.includes("/blobs/")) return false;
      refusals += 1;
      const challenge = `Bearer realm="http://${registry.host}/token",service="fake"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return true;
    };
    await source("tools/one:1", ADA).manifest(SIGNAL);
    expect([refusals, registry.calls.filter((call) => call.endsWith("/token")).length]).toEqual([1, 2]);
  });

  it("credentials are not given to a host that the registry leads to, whatever that asks for", async () => {
    const seen: (string | undefined)[] = [];
    const other = await fakeRegistry();
    other.misbehave = (request, response) => {
      seen.push(request.headers.authorization);
      const challenge = `Bearer realm="http://${other.host}/token",service="x"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return true;
    };
    registry.misbehave = (request, response) => {
      response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
      return true;
    };
    await expect(source("tools/one:1", ADA).manifest(SIGNAL)).rejects.toMatchObject({ code: "IMAGE_DENIED" });
    expect(seen).toEqual([undefined]);
    await other.close();
  });

  it("says what is missing: the name, a part, or the token service", async () => {
    await expect(source("tools/none:1").manifest(SIGNAL)).rejects.toThrow("none of that name and tag");
    registry.put("tools/one", "1", [LAYER]);
    registry.blobs.clear();
    await expect(source().manifest(SIGNAL)).rejects.toMatchObject({
      code: "IMAGE_UNKNOWN",
      message: expect.stringContaining("its part sha256:"),
    });
    registry.auth = { kind: "token", secret: "ada:hush" };
    registry.misbehave = (request, response) => {
      if (request.url?.startsWith("/token") !== true) return false;
      response.writeHead(404).end();
      return true;
    };
    await expect(source("tools/one:1", ADA).manifest(SIGNAL)).rejects.toMatchObject({
      code: "REGISTRY_UNREACHABLE",
      message: expect.stringContaining("token service answers 404"),
    });
  });

  it("a token that no header can hold is none", async () => {
    registry.auth = { kind: "token", secret: "ada:hush" };
    registry.put("tools/one", "1", [LAYER]);
    registry.misbehave = (request, response) => {
      if (request.url?.startsWith("/token") !== true) return false;
      response.end(JSON.stringify({ token: "a\nb" }));
      return true;
    };
    await expect(source("tools/one:1", ADA).manifest(SIGNAL)).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  });

  it("credentials do not follow a redirect to another host", async () => {
    const seen: (string | undefined)[] = [];
    const other = await fakeRegistry();
    other.misbehave = (request, response) => {
      seen.push(request.headers.authorization);
      response.end("elsewhere");
      return true;
    };
    registry.auth = { kind: "basic", secret: "ada:hush" };
    registry.put("tools/one", "1", [LAYER]);
    registry.misbehave = (request, response) => {
      if (!request.url?.includes("/blobs/") || request.headers.authorization === undefined) return false;
      response.writeHead(307, { location: `http://${other.host}/blob` }).end();
      return true;
    };
    const blob = { digest: sha256(LAYER.bytes), mediaType: "", sizeBytes: 1 };
    expect((await bytesOf(source("tools/one:1", ADA).blob(blob, 0, SIGNAL))).toString()).toBe("elsewhere");
    expect(seen).toEqual([undefined]);
    await other.close();
  });
});

describe("a registry that misbehaves", () => {
  const expectCode = (code: string, message: RegExp) =>
    expect(source().manifest(SIGNAL)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

  it.each([
    ["no JSON", "<html>", /no JSON/],
    ["another document", '{"hello":1}', /not as it should be/],
    ["bytes that are no text", Buffer.from([0xff, 0xfe, 0]), /no JSON/],
    [
      "a digest of a wrong form",
      JSON.stringify({ config: { digest: "sha256:../x", size: 1, mediaType: "" }, layers: [] }),
      /digest/,
    ],
    ["an index of an index", null, /another index/],
  ])("by %s as a manifest", async (_, bytes, message) => {
    if (bytes !== null) registry.putRaw("tools/one", "1", bytes);
    else {
      const inner = registry.putIndex("tools/one", "inner", []);
      registry.putIndex("tools/one", "1", [{ mediaType: "x", digest: inner, size: 1 }]);
    }
    await expectCode("IMAGE_INVALID", message);
  });

  it("by a manifest or config that is not the one of its digest", async () => {
    const put = registry.put("tools/one", "1", [LAYER]);
    registry.blobs.set(put.configDigest, Buffer.from("{}"));
    await expectCode("IMAGE_INVALID", /config is not the one of its digest/);
    registry.misbehave = (request, response) => {
      if (!request.url?.includes(put.digest)) return false;
      response.end("{}");
      return true;
    };
    await expect(source(`tools/one@${put.digest}`).manifest(SIGNAL)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("by a config that names more layers than its manifest", async () => {
    registry.put("tools/one", "1", [LAYER], { rootfs: { type: "layers", diff_ids: [] } });
    await expectCode("IMAGE_INVALID", /names 0 layers and its manifest 1/);
  });

  it("by too many layers, and by the first kind of manifest", async () => {
    registry.put("tools/one", "1", Array(121).fill(LAYER));
    await expectCode("IMAGE_UNSUPPORTED", /121 layers/);
    registry.putRaw("tools/one", "1", JSON.stringify({ schemaVersion: 1 }));
    await expectCode("IMAGE_UNSUPPORTED", /schema 1/);
  });

  it("by an endless manifest", async () => {
    registry.misbehave = (_, response) => {
      const piece = Buffer.alloc(1024 ** 2, 32);
      const more = (): void => {
        while (response.write(piece));
        response.once("drain", more);
      };
      more();
      return true;
    };
    await expectCode("REGISTRY_UNREACHABLE", /more than/);
  });

  it("by redirects without end", async () => {
    registry.misbehave = (request, response) => {
      response.writeHead(302, { location: request.url }).end();
      return true;
    };
    const abort = AbortSignal.timeout(20_000);
    await expect(source().manifest(abort)).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  });

  it("by a token service at an address that this server does not call", async () => {
    registry.misbehave = (_, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer realm="http://169.254.169.254/latest",service="x"' }).end();
      return true;
    };
    await expectCode("EGRESS_REFUSED", /metadata/);
  });

  it("by asking to come back later: it is asked again then", async () => {
    registry.put("tools/one", "1", [LAYER]);
    let refused = 0;
    registry.misbehave = (_, response) => {
      refused += 1;
      if (refused > 3) return false;
      response.writeHead(refused === 1 ? 429 : 503, { "retry-after": "0" }).end();
      return true;
    };
    expect((await source().manifest(SIGNAL)).layers).toHaveLength(1);
  });

  it("by an error that stays: it is told after some tries", async () => {
    registry.misbehave = (_, response) => {
      response.writeHead(503, { "retry-after": "0" }).end();
      return true;
    };
    await expectCode("REGISTRY_UNREACHABLE", /answers 503/);
    expect(registry.calls).toHaveLength(5);
  });

  it("by not having it", async () => {
    await expectCode("IMAGE_UNKNOWN", /has none of that name and tag/);
  });

  it("by cutting a blob in the middle", async () => {
    registry.put("tools/one", "1", [LAYER]);
    registry.misbehave = (request, response) => {
      if (!request.url?.includes("/blobs/")) return false;
      response.writeHead(200, { "content-length": "100" }).write(LAYER.bytes.subarray(0, 5));
      setTimeout(() => response.destroy(), 20);
      return true;
    };
    const blob = { digest: sha256(LAYER.bytes), mediaType: "", sizeBytes: 100 };
    await expect(bytesOf(source().blob(blob, 0, SIGNAL))).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  });
});
