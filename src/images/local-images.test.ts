import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { Egress } from "../lib/egress.ts";
import type { HeldImage, ImageManifest, ImageSource } from "./image.ts";
import { type ImageStore, type LocalImagesOptions, localImages } from "./local-images.ts";
import { type FakeRegistry, fakeRegistry, sha256 } from "./testing/fake-registry.ts";

let registry: FakeRegistry;
let folder: string;
/** What was pulled: names with the digest that the source gave. */
let pulled: string[];
let here: Map<string, HeldImage>;

beforeEach(async () => {
  registry = await fakeRegistry();
  folder = mkdtempSync(join(tmpdir(), "sluice-images-"));
  [pulled, here] = [[], new Map()];
});
afterEach(async () => {
  await registry.close();
  rmSync(folder, { recursive: true });
});

const SIGNAL = new AbortController().signal;
const LAYER = { bytes: gzipSync("a layer"), diffId: sha256("a layer") };
const ADMIN = { owner: "cluster_admin", isAdmin: true, pullSecrets: [] };
const PULL = { signal: SIGNAL };

function held({ digest, config }: ImageManifest): HeldImage {
  return { digest, config, layers: [], sizeBytes: 0, release: () => {} };
}

const store: ImageStore = {
  async pull(source, { reference, digest, signal }) {
    const image = held(await source.manifest(signal));
    if (digest !== undefined && image.digest !== digest) throw new SluiceError("IMAGE_UNKNOWN", "another one by now");
    pulled.push(`${reference} ${image.digest}`);
    here.set(image.digest, image);
    return image;
  },
  hold: (digest) => here.get(digest) ?? null,
  freeBytes: async () => 2 ** 30,
  list: () => [],
  remove: async () => 0,
  prune: async () => 0,
  close: async () => {},
};

function images(over: Partial<LocalImagesOptions> = {}): ReturnType<typeof localImages> {
  const egress = new Egress({ namedHosts: [], allowPrivate: false, ownPorts: () => [] });
  return localImages({
    store,
    registry: { egress, plainHosts: [], mirrors: {} },
    dockerConfig: null,
    pullSecrets: {},
    pullSecretUsers: [],
    credentialHelpers: [],
    openFile: () => Promise.reject(new SluiceError("IMAGE_DENIED", "no files here")),
    ...over,
  });
}

function credentialFile(name: string, secret: string): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(secret).toString("base64") } } }));
  return path;
}

describe("images of a registry", () => {
  it("are pinned to what a tag stands for, and held as that, whatever the tag is by then", async () => {
    const first = registry.put("tools/one", "1", [LAYER]);
    const all = images();
    const pinned = await all.pin(`${registry.host}/tools/one:1`, ADMIN, SIGNAL);
    expect(pinned).toEqual({ reference: `${registry.host}/tools/one:1`, digest: first.digest });
    registry.put("tools/one", "1", [LAYER], { config: { User: "another" } });
    expect((await all.hold(pinned, ADMIN, PULL)).digest).toBe(first.digest);
    expect(pulled).toEqual([`${registry.host}/tools/one:1 ${first.digest}`]);
    await all.hold(pinned, ADMIN, PULL);
    expect(pulled).toHaveLength(1);
  });

  it("on this machine are for the administrator alone", async () => {
    registry.put("tools/one", "1", [LAYER]);
    const asker = { owner: "ada", isAdmin: false, pullSecrets: [] };
    await expect(images().pin(`${registry.host}/tools/one:1`, asker, SIGNAL)).rejects.toMatchObject({
      code: "EGRESS_REFUSED",
    });
  });

  it("that are private come with the credentials that the service names, or the administrator's own", async () => {
    registry.put("tools/one", "1", [LAYER]);
    registry.auth = { kind: "token", secret: "ada:hush" };
    const name = `${registry.host}/tools/one:1`;
    const [good, wrong] = [credentialFile("good", "ada:hush"), credentialFile("wrong", "bob:x")];
    const all = images({ pullSecrets: { lab: good, other: wrong } });
    await all.pin(name, { ...ADMIN, pullSecrets: ["lab"] }, SIGNAL);
    for (const pullSecrets of [["other"], []]) {
      await expect(all.pin(name, { ...ADMIN, pullSecrets }, SIGNAL)).rejects.toMatchObject({ code: "IMAGE_DENIED" });
    }
    await expect(all.pin(name, { ...ADMIN, pullSecrets: ["none"] }, SIGNAL)).rejects.toMatchObject({
      code: "SERVICE_INVALID",
      message: expect.stringContaining('"none"'),
    });
    await expect(all.pin(name, { ...ADMIN, pullSecrets: ["constructor"] }, SIGNAL)).rejects.toMatchObject({
      code: "SERVICE_INVALID",
    });
    await images({ dockerConfig: good }).pin(name, ADMIN, SIGNAL);
  });

  it("whose credentials are for some users are for them and the administrator", async () => {
    registry.put("tools/one", "1", [LAYER]);
    registry.auth = { kind: "token", secret: "ada:hush" };
    const name = `${registry.host}/tools/one:1`;
    const all = images({
      pullSecrets: { lab: credentialFile("good", "ada:hush") },
      pullSecretUsers: [
        ["lab", "ada"],
        ["other", "ben"],
      ],
    });
    const asker = (owner: string) => ({ owner, isAdmin: false, pullSecrets: ["lab"] });
    await expect(all.pin(name, asker("ben"), SIGNAL)).rejects.toMatchObject({ code: "SERVICE_INVALID" });
    // As far as the registry's address, which is for the administrator alone here.
    await expect(all.pin(name, asker("ada"), SIGNAL)).rejects.toMatchObject({ code: "EGRESS_REFUSED" });
    await all.pin(name, { ...ADMIN, pullSecrets: ["lab"] }, SIGNAL);
  });

  it("a file of credentials that is not there is said without its path", async () => {
    const all = images({ dockerConfig: join(folder, "absent") });
    await expect(all.pin(`${registry.host}/tools/one:1`, ADMIN, SIGNAL)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.not.stringContaining(folder),
    });
  });
});

describe("images of files", () => {
  const source = (digest: string): ImageSource => ({
    key: "file",
    manifest: async () => ({ digest, config: {} as ImageManifest["config"], layers: [] }),
    blob: async function* () {},
    close: async () => {},
  });

  it("are taken over when they are named, and again only if the file still holds them", async () => {
    let now = "sha256:a";
    const opened: string[] = [];
    const all = images({
      openFile: async (path, { owner }) => {
        opened.push(`${owner} ${path}`);
        return source(now);
      },
    });
    const pinned = await all.pin("file:/srv/tool.tar", ADMIN, SIGNAL);
    expect(pinned).toEqual({ reference: "file:/srv/tool.tar", digest: "sha256:a" });
    expect(opened).toEqual(["cluster_admin /srv/tool.tar"]);
    await all.hold(pinned, ADMIN, PULL);
    expect(pulled).toHaveLength(1);
    here.clear();
    await all.hold(pinned, ADMIN, PULL);
    expect(pulled).toHaveLength(2);
    here.clear();
    now = "sha256:b";
    await expect(all.hold(pinned, ADMIN, PULL)).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
  });
});
