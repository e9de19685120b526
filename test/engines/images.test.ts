import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { applyServices, s3Of, settled } from "../support/workflow.ts";
import {
  busyboxLayer,
  debianLayer,
  distrolessLayer,
  layerOf,
  muslLayer,
  put,
  scratchLayer,
  writeLayout,
} from "./support/images.ts";
import { PodmanService } from "./support/podman-service.ts";
import { type Registry, startRegistry } from "./support/registry.ts";

/** Images that are made here, pushed by skopeo to Debian's docker-registry, and run by services. */

let folder: string;
let registry: Registry;
let podman: PodmanService;
/** With the driver that is on trial. */
let server: RunningServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-engines-"));
  registry = await startRegistry();
  podman = await PodmanService.start();
});
afterAll(async () => {
  await podman.stop();
  registry.stop();
  rmSync(folder, { recursive: true });
});

function push(name: string, layers: readonly Buffer[], config = {}, architecture?: string): string {
  const layout = join(folder, name.replaceAll(/[/:]/g, "-"));
  writeLayout(layout, layers, config, architecture);
  registry.push(layout, name);
  return `${registry.host}/${name}`;
}

async function run(name: string, image: string, script: string, body = "input\n"): Promise<string> {
  const more = { image: `"${image}"`, network: "none" };
  await applyServices(server, [{ name, script, input: `${name}/in`, output: `${name}/out`, more }]);
  await s3Of(server).send(new PutObjectCommand({ Bucket: name, Key: "in/file", Body: body }));
  const jobs = (await settled(server)).filter(({ service }) => service === name);
  expect(jobs).toMatchObject([{ state: "SUCCEEDED" }]);
  return (await server.cli(["logs", jobs[0]?.id ?? ""])).stdout;
}

async function output(bucket: string, key: string): Promise<string> {
  const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket: bucket, Key: `out/${key}` }));
  return (await Body?.transformToString()) ?? "";
}

describe.each(["bubblewrap", "container"])("images of a real registry, by the driver %s", (driver) => {
  beforeAll(async () => {
    const env = driver === "container" ? podman.env : {};
    server = await startServer({ env });
  });
  afterAll(() => server.stop());

  it("busybox, in two layers of which the upper hides a file", async () => {
    const upper = layerOf((root) => {
      put(root, "etc/added", "added\n");
      put(root, "bin/.wh.vi", "");
    });
    const image = push("lab/busybox:1", [busyboxLayer(), upper], { Env: ["GREETING=hello"] });
    const said = await run("busybox", image, 'echo "$GREETING"; cat /etc/added; ls /bin/vi; uname -s; id\n');
    expect(said).toContain("hello\nadded\n");
    expect(said).toContain("No such file");
    expect(said).toContain("uid=0(root)");
    expect((await server.cli(["images", "-o", "json"])).stdout).toContain(registry.digest("lab/busybox:1"));
    const { sluice } = JSON.parse((await server.cli(["status", "-o", "json"])).stdout);
    expect(sluice.sandbox.driver).toBe(driver);
  });

  it("Debian: dpkg, perl and a package's files; programs that write everywhere", async () => {
    const image = push("lab/debian:12", [debianLayer()], { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] });
    const said = await run(
      "debian",
      image,
      'cat /etc/debian_version; perl -e "print 6 * 7, qq(\\n)"; dpkg --verify base-files && echo verified; echo x >/usr/share/x && rm /etc/issue && echo written\n',
    );
    expect(said).toMatch(/^12\.\d+$/m);
    expect(said).toContain("42\n");
    expect(said).toContain("verified\nwritten\n");
  });

  it("a musl one", async () => {
    const said = await run("musl", push("lab/musl:1", [muslLayer()]), "/usr/bin/hello\n");
    expect(said).toContain("musl 3.99\n");
  });

  it.each([
    ["scratch", scratchLayer],
    ["distroless", distrolessLayer],
  ] as const)("%s: its own program, without a shell", async (name, layer) => {
    const image = push(`lab/${name}:1`, [layer()], { Entrypoint: ["/app"], User: "65532" });
    const body = JSON.stringify({
      name,
      image,
      network: "none",
      input: [{ storage_provider: "minio", path: `${name}/in` }],
      output: [{ storage_provider: "minio", path: `${name}/out` }],
    });
    const basic = Buffer.from(`${server.admin.user}:${server.admin.password}`).toString("base64");
    const headers = { authorization: `Basic ${basic}`, "content-type": "application/json" };
    const created = await fetch(`${server.api}/system/services`, { method: "POST", headers, body });
    expect(created.status).toBe(201);
    await s3Of(server).send(new PutObjectCommand({ Bucket: name, Key: "in/file", Body: "copied" }));
    expect((await settled(server)).filter(({ service }) => service === name)).toMatchObject([{ state: "SUCCEEDED" }]);
    expect(await output(name, "copy")).toBe("copied");
  });

  it("of another architecture is refused with a clear sentence", async () => {
    const image = push("lab/other:1", [scratchLayer()], {}, "s390x");
    await expect(run("other", image, "true\n")).rejects.toThrow(
      /IMAGE_UNSUPPORTED.*built for linux\/s390x, and this machine is linux\//,
    );
  });
});

describe("a private registry", () => {
  const account = { user: "ada", password: "hush-hush" };
  let lab: Registry;
  let own: RunningServer;
  afterEach(async () => {
    await own?.stop();
    lab?.stop();
  });

  it("gives its image to who names the credentials, and to nobody else", async () => {
    lab = await startRegistry(account);
    const secrets = join(folder, "lab.json");
    const auth = Buffer.from(`${account.user}:${account.password}`).toString("base64");
    writeFileSync(secrets, JSON.stringify({ auths: { [lab.host]: { auth } } }));
    own = await startServer({ env: { SLUICE_IMAGES_PULL_SECRETS: `lab=${secrets}` } });
    const layout = join(folder, "private");
    writeLayout(layout, [busyboxLayer()]);
    lab.push(layout, "secret/tool:1");
    const service = (secret: string) => ({
      name: "tool",
      script: 'echo done >"$TMP_OUTPUT_DIR/done"\n',
      input: "tool/in",
      output: "tool/out",
      more: { image: `"${lab.host}/secret/tool:1"`, network: "none", image_pull_secrets: secret },
    });
    await expect(applyServices(own, [service("[]")])).rejects.toThrow("IMAGE_DENIED");
    await applyServices(own, [service("[lab]")]);
    await s3Of(own).send(new PutObjectCommand({ Bucket: "tool", Key: "in/file", Body: "x" }));
    expect(await settled(own)).toMatchObject([{ state: "SUCCEEDED" }]);
    expect(own.log()).not.toContain(account.password);
  });
});
