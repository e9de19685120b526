import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownedGroups } from "../../src/sandbox/drivers/bubblewrap/cgroup-reclaim.ts";
import { cleanEnv, newFolder, type RunningServer, runCli, startServer } from "../support/server.ts";
import { allJobs, applyServices, settled } from "../support/workflow.ts";

/** `sluice up` and what is done around it: its directory, its signals, backups under load. */

let folder = "";
let server: RunningServer;
beforeAll(async () => {
  folder = await newFolder("up");
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("a data directory", () => {
  const up = (data: string) =>
    runCli(["up", "--data", data, "--port", "0", "--s3-port", "0"], cleanEnv(), { cwd: folder });

  it("of a newer program is refused and keeps what it has", async () => {
    const newer = join(folder, "newer");
    await mkdir(newer);
    await writeFile(join(newer, "VERSION"), "99\n");
    expect(await up(newer)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^sluice: DATA_DIR_NEWER: Cannot .*99/),
    });
    expect(await readdir(newer)).not.toContain("db");
    expect(await readFile(join(newer, "VERSION"), "utf8")).toBe("99\n");
  });

  it("that another process has is refused with its number", async () => {
    expect(await up(server.data)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^sluice: DATA_DIR_LOCKED: .*process ${server.pid} uses it`)),
    });
  });

  it("is taken over by the next process as soon as the first has ended", async () => {
    const data = join(folder, "handed-over");
    const first = await startServer({ data });
    const second = startServer({ data });
    expect(await first.stop()).toBe(0);
    expect(await (await second).stop()).toBe(0);
  });
});

it("waiting for nothing says so, and how to see what ended before", async () => {
  await applyServices(server, [{ name: "quick", script: "exit 3\n" }]);
  const [id = ""] = (await server.cli(["submit", "quick"], { input: "x" })).stdout.split("\n");
  expect((await server.cli(["jobs", "wait", id])).code).toBe(1);
  expect(await server.cli(["jobs", "wait", "--all"])).toMatchObject({
    code: 0,
    stdout: "0 jobs: 0 succeeded\n",
    stderr: expect.stringContaining("--since 10m"),
  });
  expect(await server.cli(["jobs", "wait", "--all", "--since", "10m"])).toMatchObject({
    code: 1,
    stdout: "1 job: 0 succeeded, 1 failed\n",
  });
});

it("a backup under load has each object with its bytes, and its jobs go on where it is restored", async () => {
  const own = await startServer();
  const [copied, restored, many, got] = ["copied", "restored", "many", "got"].map((name) => join(folder, name));
  if (!copied || !restored || !many || !got) throw new Error("cannot happen");
  const body = (n: number): string => `${n} `.repeat(n % 3 === 0 ? 60_000 : 2);
  try {
    await applyServices(own, [
      { name: "words", script: 'wc "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME"\n', input: "texts/in" },
    ]);
    await mkdir(many);
    for (let n = 0; n < 200; n++) await writeFile(join(many, `${n}.txt`), body(n));
    const uploading = own.cli(["put", many, "texts/in/"]);
    await expect.poll(async () => (await allJobs(own)).length, { timeout: 30_000, interval: 20 }).toBeGreaterThan(5);
    expect((await own.cli(["backup", copied])).code).toBe(0);
    expect((await uploading).code).toBe(0);
  } finally {
    await own.stop();
  }
  expect((await runCli(["restore", copied, restored], cleanEnv())).code).toBe(0);
  const again = await startServer({ data: restored });
  try {
    const jobs = await settled(again);
    expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
    expect((await again.cli(["get", "texts/in/", got])).code).toBe(0);
    const names = (await readdir(got, { recursive: true })).filter((name) => name.endsWith(".txt"));
    expect(jobs).toHaveLength(names.length);
    for (const name of names)
      expect((await readFile(join(got, name), "utf8")) === body(Number.parseInt(name.replace(/.*\//, ""), 10))).toBe(
        true,
      );
  } finally {
    await again.stop();
  }
});

it("says more after SIGHUP when its settings say so, and stays as it is when they are wrong", async () => {
  const config = join(folder, "level.yaml");
  await writeFile(config, "log_level: error\n");
  const own = await startServer({ args: ["--config", config] });
  await writeFile(config, "log_level: wrong\n");
  process.kill(own.pid, "SIGHUP");
  await expect.poll(() => own.log(), { timeout: 10_000 }).toContain("they stay as they are");
  await writeFile(config, "log_level: info\n");
  process.kill(own.pid, "SIGHUP");
  await expect.poll(() => own.log(), { timeout: 10_000 }).toContain('"log_level":"info"');
  expect(await own.stop()).toBe(0);
  expect(own.log()).toContain('"stopping"');
});

describe("blobs in a folder of their own", () => {
  /** Another file system, as `blobs_dir` is meant for. */
  const there = `/dev/shm/sluice-blobs-${process.pid}`;
  const env = { SLUICE_BLOBS_DIR: there };
  afterAll(() => rm(there, { recursive: true, force: true }));

  it("take uploads, inputs and outputs, and are backed up", async () => {
    const own = await startServer({ data: join(folder, "apart"), env });
    await applyServices(own, [
      {
        name: "twice",
        script: 'cat "$INPUT_FILE_PATH" "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME"\n',
        input: "texts/in",
        output: "texts/out",
      },
    ]);
    const text = "a line of some length\n".repeat(20_000);
    await writeFile(join(folder, "large.txt"), text);
    expect(await own.cli(["put", join(folder, "large.txt"), "texts/in/"])).toMatchObject({ code: 0 });
    expect((await settled(own)).map(({ state }) => state)).toEqual(["SUCCEEDED"]);
    expect(await own.cli(["get", "texts/out/large.txt", join(folder, "large.out")])).toMatchObject({ code: 0 });
    expect((await readFile(join(folder, "large.out"), "utf8")) === text + text).toBe(true);
    expect((await own.cli(["backup", join(folder, "apart-backup")])).code).toBe(0);
    expect(await own.stop()).toBe(0);
    expect(await readdir(join(folder, "apart"))).not.toContain("blobs");
    const files = (await readdir(there, { recursive: true })).filter((name) => name.length > 30);
    expect(files).toHaveLength(2);
    expect((await runCli(["restore", join(folder, "apart-backup"), join(folder, "together")], cleanEnv())).code).toBe(
      0,
    );
    expect(await readdir(join(folder, "together", "blobs"))).not.toEqual([]);
  });

  it("are asked for where they were, and never taken for empty", async () => {
    const up = (more: Record<string, string>) =>
      runCli(["up", "--data", join(folder, "apart"), "--port", "0", "--s3-port", "0"], cleanEnv(), { env: more });
    expect(await up({})).toMatchObject({ code: 1, stderr: expect.stringContaining(`its blobs lie in "${there}"`) });
    await rename(there, `${there}-unmounted`);
    expect(await up(env)).toMatchObject({ code: 1, stderr: expect.stringContaining("is its file system mounted?") });
    await rm(there, { recursive: true });
    await rename(`${there}-unmounted`, there);
    await expect(startServer({ data: join(folder, "other"), env })).rejects.toThrow(
      "the blobs of another data directory",
    );
  });
});

it("clears what another server left that was killed and whose data directory is gone", async () => {
  const parent = await newFolder("killed");
  const killed = await startServer({ data: join(parent, "data") });
  await applyServices(killed, [{ name: "quick", script: "exit 0\n" }]);
  await killed.cli(["submit", "quick"], { input: "x" });
  await settled(killed);
  const traces = () =>
    [...ownedGroups("/sys/fs/cgroup"), ...runtimeFolders()].filter((path) => path.includes(`-${killed.pid}-`));
  expect(traces().length).toBeGreaterThan(0);
  await killed.kill9();
  await rm(parent, { recursive: true });
  const next = await startServer();
  await expect.poll(traces).toEqual([]);
  expect(await next.stop()).toBe(0);
});

const runtimeFolders = (): string[] =>
  ["/run", "/dev/shm"].flatMap((place) => readdirSync(place).map((entry) => `${place}/${entry}`));

describe("few open files", () => {
  const under = (limit: string): readonly string[] => ["prlimit", `--nofile=${limit}`];

  it("are refused with what is needed, before anything is made", async () => {
    const data = join(folder, "few-files");
    await expect(startServer({ data, under: under("128") })).rejects.toThrow(
      /CONFIG_INVALID: Cannot start: this process may open 128 files, and \d+ jobs at once need \d+ \(raise it with "ulimit -n/,
    );
    expect(await readdir(folder)).not.toContain("few-files");
  });

  it("hold back clients, never the server: a flood of connections and uploads leaves it whole", async () => {
    const own = await startServer({ under: under("64:128"), env: { SLUICE_LOCAL_SLOTS: "1" } });
    expect(own.log()).toContain('"limit":128');
    await applyServices(own, [
      { name: "words", script: 'wc "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME"\n', input: "texts/in" },
    ]);
    const sockets = [own.api, own.s3].flatMap((url) =>
      Array.from({ length: 100 }, () => connect(Number(new URL(url).port)).on("error", () => {})),
    );
    await Promise.all(
      sockets.map((socket) => once(socket, "close", { signal: AbortSignal.timeout(2000) }).catch(() => {})),
    );
    for (const socket of sockets) socket.destroy();
    const files = join(folder, "flood");
    await mkdir(files);
    for (let n = 0; n < 40; n++) await writeFile(join(files, `${n}.txt`), `${n} `.repeat(50_000));
    await Promise.all([1, 2, 3].map((n) => own.cli(["put", files, `texts/flood-${n}/`])));
    await writeFile(join(files, "last.txt"), "the last words\n");
    expect(await own.cli(["put", join(files, "last.txt"), "texts/in/"])).toMatchObject({ code: 0 });
    expect((await settled(own)).map(({ state }) => state)).toEqual(["SUCCEEDED"]);
    expect(own.log()).not.toContain("EMFILE");
    expect(await own.stop()).toBe(0);
  });
});
