import { execFileSync } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join, parse } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cleanEnv, newFolder, type RunningServer, runCli, startServer } from "../support/server.ts";
import { settled } from "../support/workflow.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;

describe("examples/pictures", () => {
  let server: RunningServer;
  let folder = "";

  beforeAll(async () => {
    server = await startServer();
    folder = await newFolder("pictures");
    execFileSync("sh", [join(EXAMPLES, "pictures/make-pictures.sh"), join(folder, "in"), "40"], { stdio: "pipe" });
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("makes a thumbnail and its statistics of each of 40 pictures of three formats", async () => {
    const pictures = await readdir(join(folder, "in"));
    expect(pictures).toHaveLength(40);
    expect(new Set(pictures.map((name) => parse(name).ext.replace("jpeg", "jpg")))).toEqual(
      new Set([".jpg", ".png", ".webp"]),
    );
    expect((await server.cli(["apply", join(EXAMPLES, "pictures/pictures.yaml")])).code).toBe(0);
    expect((await server.cli(["put", ...pictures.map((name) => join(folder, "in", name)), "photos/in/"])).code).toBe(0);
    const jobs = await settled(server, 180_000);
    expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
    expect(jobs).toHaveLength(80);
    expect((await server.cli(["get", "photos/thumbs/", join(folder, "thumbs")])).code).toBe(0);
    expect((await server.cli(["get", "photos/stats/", join(folder, "stats")])).code).toBe(0);
    const stats = await readdir(join(folder, "stats"));
    expect(stats).toHaveLength(40);
    for (const name of stats) {
      const told = JSON.parse(await readFile(join(folder, "stats", name), "utf8"));
      // Each file of numbers is checked against a measurement of the picture that it speaks of.
      const measured = execFileSync("identify", ["-format", "%w %h %[fx:mean]", join(folder, "thumbs", told.file)], {
        encoding: "utf8",
      });
      const [width, height, mean] = measured.split(" ").map(Number);
      expect([told.width, told.height]).toEqual([width, height]);
      expect(Math.max(width ?? 0, height ?? 0)).toBeLessThanOrEqual(128);
      expect(told.mean).toBeCloseTo(mean ?? -1, 2);
    }
  });
});

describe("examples/video", () => {
  let server: RunningServer;
  let folder = "";

  beforeAll(async () => {
    server = await startServer();
    folder = await newFolder("video");
    execFileSync("sh", [join(EXAMPLES, "video/make-video.sh"), join(folder, "film.mp4"), "20"], { stdio: "pipe" });
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("turns one file into 20 events and 20 results", async () => {
    expect((await server.cli(["apply", join(EXAMPLES, "video/video.yaml")])).code).toBe(0);
    const first = (await server.cli(["services", "-o", "json"])).stdout;
    const splitter = JSON.parse(first).find((service: { input: Array<{ suffix?: string[] }> }) =>
      JSON.stringify(service.input).includes(".mp4"),
    );
    expect((await server.cli(["put", join(folder, "film.mp4"), `${splitter.input[0].path}/`])).code).toBe(0);
    const jobs = await settled(server, 180_000);
    expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
    expect(jobs).toHaveLength(21);
    expect(jobs[0]?.output_count).toBe(20);
    expect(jobs.slice(1).every((job) => job.hops === 1 && job.output_count === 1)).toBe(true);
  });
});

describe("sluice demo", () => {
  it("reports 40 files in, 80 out, none failed", async () => {
    const demo = await runCli(["demo", "--json"], cleanEnv(), { timeoutMs: 240_000 });
    expect(demo.stderr).not.toContain("sluice: ");
    expect(demo.code).toBe(0);
    const report = JSON.parse(demo.stdout.trim().split("\n").at(-1) ?? "");
    expect(report).toMatchObject({ files_in: 40, files_out: 80, jobs: { succeeded: 80, failed: 0 } });
  });
});
