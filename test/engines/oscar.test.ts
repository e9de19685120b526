import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { settled } from "../support/workflow.ts";
import { debianLayer, layerOf, put, writeLayout } from "./support/images.ts";
import { PodmanService } from "./support/podman-service.ts";
import { type Registry, startRegistry } from "./support/registry.ts";

/** Definitions in the form of OSCAR's examples, with the keys that those use and no other. */

const DEFINITIONS = new URL("../fixtures/oscar/", import.meta.url).pathname;

let folder: string;
let registry: Registry;
let podman: PodmanService;
/** With the driver that is on trial. */
let server: RunningServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-oscar-"));
  registry = await startRegistry();
  podman = await PodmanService.start();
});
afterAll(async () => {
  await podman?.stop();
  registry?.stop();
  rmSync(folder, { recursive: true });
});

function push(name: string, layers: readonly Buffer[]): string {
  const layout = join(folder, name.replaceAll("/", "-"));
  writeLayout(layout, layers, { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] });
  registry.push(layout, `${name}:latest`);
  rmSync(layout, { recursive: true });
  return `${registry.host}/${name}`;
}

/** Applies a definition of which nothing but these images' names is changed. */
async function apply(name: string, images: Readonly<Record<string, string>>): Promise<void> {
  const copy = mkdtempSync(join(folder, "definition-"));
  cpSync(join(DEFINITIONS, name), copy, { recursive: true });
  const file = join(copy, `${name}.yaml`);
  let text = readFileSync(file, "utf8");
  for (const [published, here] of Object.entries(images)) {
    expect(text.split(`image: ${published}\n`)).toHaveLength(2);
    text = text.replace(`image: ${published}\n`, `image: ${here}\n`);
  }
  writeFileSync(file, text);
  expect(await server.cli(["apply", file])).toMatchObject({ code: 0 });
}

async function upload(path: string, to: string): Promise<void> {
  expect(await server.cli(["put", path, to])).toMatchObject({ code: 0 });
}

async function fetchFolder(from: string): Promise<string> {
  const into = mkdtempSync(join(folder, "got-"));
  expect(await server.cli(["get", from, into])).toMatchObject({ code: 0 });
  return into;
}

async function jobsOf(service: string): Promise<Awaited<ReturnType<typeof settled>>> {
  return (await settled(server, 120_000)).filter((job) => job.service === service);
}

const identify = (format: string, file: string): string =>
  execFileSync("identify", ["-format", format, file], { encoding: "utf8" });

describe.each(["bubblewrap", "container"])(
  "OSCAR's definitions run with only the image's name changed, by the driver %s",
  (driver) => {
    beforeAll(async () => {
      server = await startServer({ env: driver === "container" ? podman.env : {} });
    });
    afterAll(() => server.stop());

    it("cowsay: a call without files, its answer in the log", async () => {
      await apply("cowsay", { "ghcr.io/grycap/cowsay": push("grycap/cowsay", [debianLayer(["cowsay", "jq"])]) });
      const { stdout: id, code } = await server.cli(["submit", "cowsay"], { input: '{"message": "Hi there"}' });
      expect(code).toBe(0);
      expect(await jobsOf("cowsay")).toMatchObject([{ state: "SUCCEEDED", output_count: 0 }]);
      const { stdout: said } = await server.cli(["logs", id.trim()]);
      expect(said).toContain("< Hi there >\n");
      expect(said).toContain("(oo)\\_______\n");
    });

    it("imagemagick: a picture becomes grey", async () => {
      await apply("imagemagick", { "grycap/imagemagick": push("grycap/imagemagick", [debianLayer(["imagemagick"])]) });
      const picture = join(folder, "a red one.png");
      execFileSync("convert", ["-size", "40x20", "xc:red", picture]);
      await upload(picture, "grayify/in/");
      expect(await jobsOf("grayify")).toMatchObject([{ state: "SUCCEEDED", output_count: 1 }]);
      const grey = join(await fetchFolder("grayify/out/"), "a red one.png");
      expect(identify("%[colorspace] %w %h", grey)).toBe("Gray 40 20");
    });

    // The weights of YOLO are not to be had here, so its image's program is a stand-in that is called in the same way and works on the picture.
    it("video-process: a film's pictures start a second service, each of them", async () => {
      const darknet = layerOf((root) => {
        put(
          root,
          "opt/darknet/darknet",
          '#!/bin/sh\n[ "$1 $2 $3 $5" = "detect cfg/yolov3.cfg yolov3.weights -out" ] && cat "$2" && identify -format "seen: %w x %h\\n" "$4" && convert "$4" -rotate 90 "$6.png"\n',
          0o755,
        );
        put(root, "opt/darknet/cfg/yolov3.cfg", "[net]\n");
      });
      await apply("video-process", {
        "grycap/ffmpeg": push("grycap/ffmpeg", [debianLayer(["ffmpeg"])]),
        "grycap/darknet-v3": push("grycap/darknet-v3", [debianLayer(["imagemagick"]), darknet]),
      });
      const film = join(folder, "film.mp4");
      execFileSync("ffmpeg", [
        "-y",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc=duration=4:size=64x48:rate=5",
        film,
      ]);
      await upload(film, "video-process/in/");
      expect(await jobsOf("split-video")).toMatchObject([{ state: "SUCCEEDED", output_count: 4 }]);
      const seen = await jobsOf("darknet");
      expect(seen.map(({ state, output_count }) => [state, output_count])).toEqual(Array(4).fill(["SUCCEEDED", 2]));
      const found = await fetchFolder("video-process/out/");
      for (const name of ["img001", "img002", "img003", "img004"]) {
        expect(readFileSync(join(found, `${name}.out`), "utf8")).toBe("[net]\nseen: 64 x 48\n");
        expect(identify("%w %h", join(found, `${name}.png`))).toBe("48 64");
      }
    });
  },
);
