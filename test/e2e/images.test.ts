import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FakeRegistry, fakeRegistry, sha256 } from "../../src/images/testing/fake-registry.ts";
import { layerOf } from "../../src/images/testing/fake-source.ts";
import { file } from "../../src/images/testing/make-tar.ts";
import { programLayer } from "../support/program-image.ts";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { api, applyServices, s3Of, settled } from "../support/workflow.ts";

/** Services with container images, through the real server, from a registry in this process. */

const PROGRAMS = programLayer(["/bin/sh", "/bin/cat", "/bin/ls", "/usr/bin/id"], {
  "etc/passwd": "root:x:0:0::/root:/bin/sh\nworker:x:33:44::/:/bin/sh\n",
  "opt/greeting": "hello from the image\n",
});

let registry: FakeRegistry;
let data: string;
let server: RunningServer;

beforeAll(async () => {
  registry = await fakeRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  registry.calls.length = 0;
  registry.misbehave = () => false;
  registry.auth = null;
  registry.put("tools/one", "1", [PROGRAMS], { config: { Env: ["TOOL=one"], WorkingDir: "/data", User: "worker" } });
  data = `${await newFolder("images")}/data`;
  server = await startServer({ data });
});
afterEach(() => server.kill9().catch(() => undefined));

const imageOf = (name: string): string => `${registry.host}/${name}`;

const service = (image: string, script: string, more: Readonly<Record<string, string>> = {}) => ({
  name: "tool",
  script,
  input: "tool/in",
  output: "tool/out",
  more: { image: `"${image}"`, network: "none", ...more },
});

const put = (key: string, body = "input\n"): Promise<unknown> =>
  s3Of(server).send(new PutObjectCommand({ Bucket: "tool", Key: `in/${key}`, Body: body }));

async function output(key: string): Promise<string> {
  const { Body } = await s3Of(server).send(new GetObjectCommand({ Bucket: "tool", Key: `out/${key}` }));
  return (await Body?.transformToString()) ?? "";
}

const inside = (folder: string): Promise<string[]> => readdir(join(data, "images", folder));

describe("a service with an image", () => {
  it("runs in it, with its environment, folder and user, and its outputs are kept", async () => {
    const script = '{ cat /opt/greeting "$INPUT_FILE_PATH"; id -u; echo "$TOOL $PWD"; } >"$TMP_OUTPUT_DIR/out"\n';
    await applyServices(server, [service(imageOf("tools/one:1"), script)]);
    await put("a");
    expect(await settled(server)).toMatchObject([{ state: "SUCCEEDED" }]);
    expect(await output("out")).toBe("hello from the image\ninput\n33\none /data\n");
    const listed = await server.cli(["images"]);
    expect(listed.stdout).toContain(imageOf("tools/one:1"));
  });

  it("is pinned: a tag that moves changes nothing before the next apply", async () => {
    const script = 'cat /opt/greeting >"$TMP_OUTPUT_DIR/$FILE_NAME"\n';
    const definition = service(imageOf("tools/one:1"), script);
    await applyServices(server, [definition]);
    registry.put("tools/one", "1", [PROGRAMS, layerOf(file("opt/greeting", "another\n"))]);
    await put("a");
    await settled(server);
    await applyServices(server, [definition]);
    await put("b");
    expect((await settled(server)).map(({ state }) => state)).toEqual(["SUCCEEDED", "SUCCEEDED"]);
    expect([await output("a"), await output("b")]).toEqual(["hello from the image\n", "another\n"]);
  });

  it("runs the image's own program where it has no script", async () => {
    registry.put("tools/own", "1", [PROGRAMS], {
      config: { Entrypoint: ["/bin/sh", "-c"], Cmd: ['cat /opt/greeting >"$TMP_OUTPUT_DIR/own"'] },
    });
    const definition = {
      name: "tool",
      image: imageOf("tools/own:1"),
      network: "none",
      input: [{ storage_provider: "minio", path: "tool/in" }],
      output: [{ storage_provider: "minio", path: "tool/out" }],
    };
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(definition);
    expect((await api(server, "/system/services", { method: "POST", body, headers })).status).toBe(201);
    await put("a");
    expect(await settled(server)).toMatchObject([{ state: "SUCCEEDED" }]);
    expect(await output("own")).toBe("hello from the image\n");
  });

  it("is refused with a sentence where the image is not there, or for another machine", async () => {
    registry.put("tools/other", "1", [PROGRAMS], { architecture: "s390x" });
    for (const [image, code] of [
      [imageOf("tools/none:1"), "IMAGE_UNKNOWN"],
      [imageOf("tools/other:1"), "IMAGE_UNSUPPORTED"],
      ["Not An Image", "FDL_INVALID"],
    ] as const) {
      await expect(applyServices(server, [service(image, "true\n")])).rejects.toThrow(code);
    }
  });

  it("fails a job whose image went away, with reason image", async () => {
    await applyServices(server, [service(imageOf("tools/one:1"), "true\n")]);
    registry.misbehave = (_, response) => {
      response.writeHead(404).end();
      return true;
    };
    await put("a");
    expect(await settled(server)).toMatchObject([
      { state: "FAILED", reason: "image", message: expect.stringContaining("has none of that name") },
    ]);
  });

  it("many jobs share one pull, and one copy on the disk", async () => {
    await applyServices(server, [service(imageOf("tools/one:1"), 'cat /opt/greeting >"$TMP_OUTPUT_DIR/$FILE_NAME"\n')]);
    await Promise.all(Array.from({ length: 12 }, (_, n) => put(`${n}`)));
    expect((await settled(server)).filter(({ state }) => state === "SUCCEEDED")).toHaveLength(12);
    const layers = registry.calls.filter((call) => call.includes(sha256(PROGRAMS.bytes)));
    expect(layers).toHaveLength(1);
    expect(await inside("layers")).toHaveLength(1);
  });

  it("a second service on the same image costs no disk and no pull", async () => {
    const one = service(imageOf("tools/one:1"), 'cat /opt/greeting >"$TMP_OUTPUT_DIR/$FILE_NAME"\n');
    await applyServices(server, [one]);
    await put("a");
    await settled(server);
    const sizes = async () => JSON.parse((await server.cli(["images", "-o", "json"])).stdout) as unknown[];
    const before = await sizes();
    await applyServices(server, [{ ...one, name: "second", input: "second/in", output: "second/out" }]);
    await s3Of(server).send(new PutObjectCommand({ Bucket: "second", Key: "in/b", Body: "x" }));
    expect((await settled(server)).filter(({ state }) => state === "SUCCEEDED")).toHaveLength(2);
    expect(registry.calls.filter((call) => call.includes(sha256(PROGRAMS.bytes)))).toHaveLength(1);
    expect(await inside("layers")).toHaveLength(1);
    expect(await sizes()).toHaveLength(before.length);
  });
});

describe("sluice images", () => {
  it("finds what earlier jobs changed in the image where it asks for that", async () => {
    const script = 'echo one >>/opt/jobs; cat /opt/jobs >"$TMP_OUTPUT_DIR/$FILE_NAME"\n';
    await applyServices(server, [service(imageOf("tools/one:1"), script, { reuse: "true" })]);
    for (const key of ["a", "b"]) {
      await put(key);
      await settled(server);
    }
    expect([await output("a"), await output("b")]).toEqual(["one\n", "one\none\n"]);
    await applyServices(server, [service(imageOf("tools/one:1"), script)]);
    await put("c");
    await settled(server);
    expect(await output("c")).toBe("one\n");
  });

  it("is told of in the change log while it is pulled", async () => {
    await applyServices(server, [service(imageOf("tools/one:1"), "true\n")]);
    await put("a");
    await settled(server);
    const followed = new AbortController();
    const authorization = `Basic ${Buffer.from(`${server.admin.user}:${server.admin.password}`).toString("base64")}`;
    const url = `${server.api}/system/events?after=0&kinds=image.pulling,image.pulled`;
    const { body } = await fetch(url, { headers: { authorization }, signal: followed.signal });
    let text = "";
    for await (const piece of body ?? []) {
      text += Buffer.from(piece).toString();
      if (text.includes("image.pulled")) break;
    }
    followed.abort();
    expect(text).toMatch(/event: image\.pulling[\s\S]*event: image\.pulled/);
    expect(text).toContain(`"key":"${imageOf("tools/one:1")}"`);
  });

  it("pulls, lists, removes and prunes", async () => {
    const name = imageOf("tools/one:1");
    const pulled = await server.cli(["images", "pull", name]);
    expect(pulled).toMatchObject({ code: 0, stdout: expect.stringMatching(/@sha256:[0-9a-f]{64}\n$/) });
    expect(JSON.parse((await server.cli(["images", "-o", "json"])).stdout)).toMatchObject([{ references: [name] }]);
    expect(await server.cli(["images", "rm", name])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("freed"),
    });
    expect(await inside("layers")).toEqual([]);
    expect((await server.cli(["images", "-o", "json"])).stdout).toBe("[]\n");
    expect(await server.cli(["images", "rm", name])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("IMAGE_UNKNOWN"),
    });
    // What could begin a digest is a name all the same, and a name is whole.
    await server.cli(["images", "pull", name]);
    const [{ digest = "" } = {}] = JSON.parse((await server.cli(["images", "-o", "json"])).stdout);
    for (const other of [digest.slice(7, 8), digest.slice(7, 12), name.slice(0, -1), "one:1"])
      expect((await server.cli(["images", "rm", other])).code).toBe(1);
    expect((await server.cli(["images", "rm", digest.slice(7, 19)])).code).toBe(0);
    await server.cli(["images", "pull", name]);
    expect((await server.cli(["images", "prune"])).stdout).toContain("freed");
    expect(await inside("layers")).toEqual([]);
  });

  it("says what is wrong", async () => {
    for (const [args, said] of [
      [["pull", imageOf("tools/none:1")], "IMAGE_UNKNOWN"],
      [["pull"], "USAGE"],
      [["push"], "USAGE"],
      [["pull", "bad//name"], "IMAGE_UNSUPPORTED"],
    ] as const) {
      const { code, stderr } = await server.cli(["images", ...args]);
      expect(code).not.toBe(0);
      expect(stderr).toContain(said);
      expect(stderr).not.toContain("    at ");
    }
  });
});

describe("a server that is killed while it pulls", () => {
  it.each(["image.download", "image.unpacked", "image.record"])(
    "at %s uses nothing half-made afterwards",
    async (point) => {
      await server.stop();
      server = await startServer({ data, env: { SLUICE_CRASH_AT: point } });
      const script = 'cat /opt/greeting >"$TMP_OUTPUT_DIR/$FILE_NAME"\n';
      await applyServices(server, [service(imageOf("tools/one:1"), script)]);
      await put("a");
      await expect
        .poll(
          () =>
            api(server, "/healthz").then(
              () => "up",
              () => "dead",
            ),
          { timeout: 20_000 },
        )
        .toBe("dead");
      expect(await inside("manifests")).toEqual([]);
      server = await startServer({ data });
      expect(await settled(server)).toMatchObject([{ state: "SUCCEEDED" }]);
      expect(await output("a")).toBe("hello from the image\n");
      const [session = ""] = await inside("unpacking");
      for (const folder of ["incoming", join("unpacking", session)]) expect(await inside(folder)).toEqual([]);
      expect(await inside("layers")).toHaveLength(1);
    },
  );

  it("at random moments: every job ends well, and each output is there once", async () => {
    const script = 'cat /opt/greeting >"$TMP_OUTPUT_DIR/$FILE_NAME"\n';
    registry.misbehave = (request, response) => {
      const blob = request.url?.includes("/blobs/")
        ? registry.blobs.get(request.url.split("/").at(-1) ?? "")
        : undefined;
      if (blob === undefined) return false;
      // Slowly, so that a kill meets it in the middle.
      response.writeHead(200).write(blob.subarray(0, blob.length / 2));
      setTimeout(() => response.end(blob.subarray(blob.length / 2)), 150);
      return true;
    };
    await applyServices(server, [service(imageOf("tools/one:1"), script)]);
    for (let n = 0; n < 4; n++) await put(`${n}`);
    for (let kills = 0; kills < 4; kills++) {
      await sleep(50 + Math.random() * 300);
      await server.kill9();
      server = await startServer({ data });
    }
    expect((await settled(server)).map(({ state }) => state)).toEqual(Array(4).fill("SUCCEEDED"));
    for (let n = 0; n < 4; n++) expect(await output(`${n}`)).toBe("hello from the image\n");
    expect(await inside("layers")).toHaveLength(1);
  });
});
