import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cleanEnv, newFolder, type RunningServer, runCli, SLUICE_BIN, startServer } from "../support/server.ts";

/** Counts the words of its input; fails on input that says so; `slow` takes its time. */
const SCRIPT = `#!/bin/sh
echo "counting $FILE_NAME"
if grep -q fail "$INPUT_FILE_PATH"; then echo "told to fail" >&2; exit 7; fi
if grep -q slow "$INPUT_FILE_PATH"; then sleep 60; fi
wc -w < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/\${FILE_NAME%.txt}.count"
`;

const fdl = (more = ""): string => `functions:
  oscar:
  - local:
      name: words
      script: words.sh
      memory: 64Mi
      input: [{storage_provider: minio, path: texts/in}]
      output: [{storage_provider: minio, path: texts/out}]
${more}`;

let server: RunningServer;
let folder = "";

/** Runs a command that must succeed. */
async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await server.cli(args, { cwd: folder });
  expect(stderr).not.toContain("sluice: ");
  expect(code).toBe(0);
  return stdout;
}

/** Runs a command that must fail. */
async function fails(code: number, ...args: string[]): Promise<string> {
  const result = await server.cli(args, { cwd: folder });
  expect(result.stderr).toMatch(/^sluice: [A-Z_]+: .+/m);
  expect(result.code).toBe(code);
  return result.stderr;
}

const file = async (name: string, content: string | Uint8Array): Promise<string> => {
  await mkdir(join(folder, name, ".."), { recursive: true });
  await writeFile(join(folder, name), content);
  return name;
};

beforeAll(async () => {
  server = await startServer();
  folder = await newFolder("cli");
});

afterAll(async () => {
  expect(await server?.stop()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

describe("objects", () => {
  it("go up and come back with their structure, byte for byte", async () => {
    await ok("mb", "files-1");
    const big = randomBytes(3 * 1024 * 1024 + 17);
    await file("tree/a.bin", big);
    await file("tree/deep/er/ä b+c.txt", "umlaut");
    await file("tree/empty", "");
    expect(await ok("put", "tree", "files-1/x/")).toContain("Uploaded 3 files");
    expect((await ok("ls", "-r", "files-1", "-o", "name")).split("\n")).toEqual([
      "x/a.bin",
      "x/deep/er/ä b+c.txt",
      "x/empty",
      "",
    ]);
    expect(await ok("get", "files-1/x/", "back")).toContain("Downloaded 3 files");
    expect((await readFile(join(folder, "back/a.bin"))).equals(big)).toBe(true);
    expect(await readFile(join(folder, "back/deep/er/ä b+c.txt"), "utf8")).toBe("umlaut");
    expect((await stat(join(folder, "back/empty"))).size).toBe(0);
  });

  it("take an exact key, and land under an exact name", async () => {
    await ok("mb", "files-2");
    await file("one.txt", "one");
    await ok("put", "one.txt", "files-2/renamed.txt");
    await ok("get", "files-2/renamed.txt", "here.txt");
    await ok("get", "files-2/renamed.txt", "new-folder/");
    expect(await readFile(join(folder, "here.txt"), "utf8")).toBe("one");
    expect(await readFile(join(folder, "new-folder/renamed.txt"), "utf8")).toBe("one");
  });

  it("with hostile keys stay in the folder they are saved to", async () => {
    await ok("mb", "hostile");
    await file("evil", "evil");
    for (const key of ["../../escape", "/abs", "a//b", "./dot", "x/..", "t\u001b]0;x"])
      await ok("put", "evil", `hostile/${key}`);
    await ok("get", "hostile/", "jail/inner");
    expect((await readdir(folder)).includes("escape")).toBe(false);
    expect(await readdir(join(folder, "jail"))).toEqual(["inner"]);
    const saved = await readdir(join(folder, "jail/inner"), { recursive: true, withFileTypes: true });
    expect(saved.filter((entry) => entry.isFile())).toHaveLength(6);
    expect(await ok("ls", "-r", "hostile")).not.toContain("\u001b");
  });

  it("are listed level by level, as tables, data and names", async () => {
    await ok("mb", "levels");
    await file("level.txt", "12345");
    for (const key of ["top.txt", "in/a.txt", "in/sub/b.txt"]) await ok("put", "level.txt", `levels/${key}`);
    expect(await ok("ls", "levels", "-o", "name")).toBe("in/\ntop.txt\n");
    expect(await ok("ls", "levels/in", "-o", "name")).toBe("in/sub/\nin/a.txt\n");
    expect(JSON.parse(await ok("ls", "levels/in/", "-o", "json"))).toMatchObject({
      bucket: "levels",
      folders: ["in/sub/"],
      objects: [{ key: "in/a.txt", size_bytes: 5, etag: createHash("md5").update("12345").digest("hex") }],
    });
    expect(await ok("ls")).toMatch(/^levels +cluster_admin +\d{4}-/m);
    expect((await ok("ls", "-o", "name")).split("\n")).toContain("levels");
  });

  it("are removed one by one or below a prefix, never by a slip", async () => {
    await ok("mb", "removal");
    await file("r.txt", "r");
    for (const key of ["a.txt", "dir/b.txt", "dir/c.txt", "directory.txt"]) await ok("put", "r.txt", `removal/${key}`);
    expect(await fails(2, "rm", "removal/dir/")).toContain("use -r");
    expect(await fails(1, "rm", "removal/dir")).toContain("it is a folder: sluice rm -r removal/dir/");
    expect(await fails(1, "rm", "removal/a.tx")).toContain("no such object");
    expect(await fails(2, "rm", "removal")).toContain("sluice rb removal");
    expect(await ok("rm", "removal/a.txt")).toContain("Removed 1 object");
    expect(await ok("rm", "-r", "removal/dir")).toContain("Removed 2 objects");
    expect(await ok("ls", "-r", "removal", "-o", "name")).toBe("directory.txt\n");
    expect(await fails(1, "rb", "removal")).toContain("--force");
    await ok("rb", "removal", "--force");
    expect((await ok("ls", "-o", "name")).split("\n")).not.toContain("removal");
  });

  it("name the bucket that was meant, the folder without its slash, and the file that is missing", async () => {
    await ok("mb", "holiday");
    await file("h.txt", "h");
    await ok("put", "h.txt", "holiday/in/h.txt");
    expect(await fails(1, "put", "h.txt", "holidya/")).toContain('did you mean "holiday"?');
    expect(await fails(1, "get", "holidya/in/", "x")).toContain('did you mean "holiday"?');
    expect(await fails(1, "ls", "nothing-like-it")).toContain("sluice mb nothing-like-it");
    expect(await fails(1, "get", "holiday/in", "x")).toContain("add a slash: holiday/in/");
    expect(await fails(1, "get", "holiday/out/", "x")).toContain("nothing in it");
    expect(await fails(2, "put", "gone.txt", "holiday/")).toContain('"gone.txt": there is no such file');
    expect(await fails(2, "put", "h.txt", "Holiday/")).toContain("bucket name");
  });

  it("go on where a download was cut", async () => {
    await ok("mb", "resume");
    const bytes = randomBytes(2_000_000);
    await file("resume.bin", bytes);
    await ok("put", "resume.bin", "resume/");
    const etag = createHash("md5").update(bytes).digest("hex");
    const part = createHash("sha256").update(`resume/resume.bin\n${etag}`).digest("hex").slice(0, 24);
    await file(`half/.sluice-${part}.part`, bytes.subarray(0, 1_500_000));
    await ok("get", "resume/", "half");
    expect(await readdir(join(folder, "half"))).toEqual(["resume.bin"]);
    expect((await readFile(join(folder, "half/resume.bin"))).equals(bytes)).toBe(true);
  });
});

describe("services and jobs", () => {
  beforeAll(async () => {
    await file("words.sh", SCRIPT);
    await file("words.yaml", fdl());
    await ok("apply", "words.yaml");
  });

  it("are created, updated or left as they are, and a dry run changes nothing", async () => {
    expect(await ok("apply", "words.yaml")).toBe("words unchanged\n");
    await file("more.yaml", fdl("      log_level: DEBUG\n"));
    expect(await ok("apply", "more.yaml", "--dry-run")).toBe("words would be updated\n");
    expect(await ok("apply", "words.yaml")).toBe("words unchanged\n");
    await file("elsewhere.yaml", fdl().replace("- local:", "- some-cluster:").replace("name: words", "name: other"));
    const { stderr, stdout } = await server.cli(["apply", "elsewhere.yaml"], { cwd: folder });
    expect(stdout).toBe("other created\n");
    expect(stderr).toContain('the cluster "some-cluster" is no context of yours');
    expect(JSON.parse(await ok("services", "-o", "json")).map((service: { name: string }) => service.name)).toEqual([
      "other",
      "words",
    ]);
    expect(await ok("services")).toMatch(/^words +host +.* texts\/in +texts\/out/m);
    expect(await ok("services", "words")).toMatch(/^memory +64Mi$/m);
    expect(await ok("services", "words")).not.toMatch(/token/);
    expect(await fails(2, "services", "rm", "other", "--data", server.data)).toContain("goes before");
    expect(await ok("services", "rm", "other")).toContain("its buckets stay");
  });

  it("tell every mistake with its place, and apply nothing", async () => {
    await file(
      "wrong.yaml",
      `${fdl("      memroy: 1Gi\n").replace("name: words", "name: fresh")}  - local:\n      name: second\n      script: gone.sh\n`,
    );
    const said = await fails(2, "apply", "wrong.yaml");
    expect(said).toMatch(/^sluice: FDL_INVALID: /);
    expect(said).toMatch(/wrong\.yaml:9:7: .*"?memroy"?.*memory/);
    expect(said).toMatch(/wrong\.yaml:12:15: .*gone\.sh/);
    expect(await fails(1, "services", "fresh")).toContain("SERVICE_UNKNOWN");
    expect(await fails(2, "apply", "missing.yaml")).toContain("no such file");
  });

  it("run from upload to result", async () => {
    await file("three.txt", "one two three");
    await ok("put", "three.txt", "texts/in/");
    expect(await ok("jobs", "wait", "--all", "words", "--since", "10m")).toMatch(/^\d+ jobs?: \d+ succeeded\n$/);
    await ok("get", "texts/out/three.count", "three.count");
    expect((await readFile(join(folder, "three.count"), "utf8")).trim()).toBe("3");
    const [id = ""] = (await ok("jobs", "words", "-o", "name")).split("\n");
    expect(await ok("jobs", "show", id)).toMatch(/^input +texts\/in\/three\.txt$/m);
    expect(JSON.parse(await ok("jobs", "show", id, "-o", "json"))).toMatchObject({
      id,
      state: "SUCCEEDED",
      output_count: 1,
    });
    expect(await ok("logs", id)).toBe("counting three.txt\n");
    expect(await ok("logs", id, "--timestamps")).toMatch(/^\d{4}-\d\d-\d\dT.*Z counting three\.txt\n$/);
    expect((await server.cli(["logs", "words"])).stdout).toBe("counting three.txt\n");
    expect(await ok("jobs", "rm", id)).toContain(`Removed ${id}`);
    expect(await fails(1, "jobs", "show", id)).toContain("JOB_UNKNOWN");
  });

  it("that fail are told by wait, by list and by exit code, and can be tried again", async () => {
    await file("sad.txt", "please fail");
    await ok("put", "sad.txt", "texts/in/");
    const waited = await server.cli(["jobs", "wait", "--all", "words"]);
    const [id = ""] = (await ok("jobs", "--state", "failed", "-o", "name")).split("\n");
    expect((await server.cli(["jobs", "wait", id])).stdout).toBe("1 job: 0 succeeded, 1 failed\n");
    expect([0, 1]).toContain(waited.code);
    expect(await ok("logs", id)).toContain("told to fail");
    expect(await ok("jobs", "show", id)).toMatch(/^exit code +7$/m);
    const again = (await ok("jobs", "retry", id)).trim();
    expect(again).not.toBe(id);
    const retried = await server.cli(["jobs", "wait", again]);
    expect(retried).toMatchObject({ code: 1, stderr: expect.stringContaining(`sluice logs ${again}`) });
    expect(await ok("jobs", "show", again)).toMatch(new RegExp(`^retry of +${id}$`, "m"));
  });

  it("called with a body belong to their run", async () => {
    const [id = ""] = (
      await server.cli(["submit", "words", "--run", "spring"], { input: "four words of text" })
    ).stdout.split("\n");
    expect((await server.cli(["jobs", "wait", id])).stdout).toBe("1 job: 1 succeeded\n");
    expect(await ok("jobs", "--run", "spring", "-o", "name")).toBe(`${id}\n`);
  });

  it("are followed while they run, and cancelled", async () => {
    await file("slow.txt", "slow");
    const id = (await ok("submit", "words", "slow.txt")).trim();
    const following = server.cli(["logs", id, "-f"]);
    const waiting = server.cli(["jobs", "wait", id]);
    await expect.poll(() => ok("jobs", "show", id), { timeout: 30_000 }).toMatch(/^state +RUNNING$/m);
    expect(await fails(1, "jobs", "rm", id)).toContain("JOB_STATE");
    expect(await ok("jobs", "cancel", id)).toBe(`Cancelled ${id}\n`);
    expect(await waiting).toMatchObject({ code: 1, stdout: "1 job: 0 succeeded, 1 cancelled\n" });
    expect(await following).toMatchObject({ code: 0, stdout: expect.stringContaining("counting") });
    expect(await fails(1, "jobs", "cancel", id)).toContain("JOB_STATE");
  });

  it("of a service are followed one beside the other", async () => {
    const following = spawn(process.execPath, [SLUICE_BIN, "logs", "words", "-f"], { env: server.env });
    let out = "";
    let err = "";
    following.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    following.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    await expect.poll(() => err, { timeout: 30_000 }).toContain("Following the jobs of words");
    await file("follow.txt", "slow");
    const id = (await ok("submit", "words", "follow.txt")).trim();
    await expect.poll(() => out, { timeout: 30_000 }).toMatch(new RegExp(`^\\[${id.slice(-8)}\\] counting `));
    await ok("jobs", "cancel", id);
    following.kill();
    await once(following, "exit");
  });

  it("that replace the output of another are told once, with the cure", async () => {
    await file("same.txt", "a b");
    await ok("put", "same.txt", "texts/in/same.txt");
    await ok("jobs", "wait", "--all");
    await ok("put", "same.txt", "texts/in/same.txt");
    const { stderr } = await server.cli(["jobs", "wait", "--all", "--since", "10m"]);
    expect(stderr.match(/Service "words" replaced 1 output of other jobs: .*on_conflict: rename/g)).toHaveLength(1);
  });

  it("show in the status", async () => {
    expect(await ok("status")).toMatch(/^words +0 +0 +\d+ +\d+/m);
    expect(JSON.parse(await ok("status", "-o", "json"))).toMatchObject({ sluice: { draining: false } });
  });

  it("are refused with the word that was meant", async () => {
    expect(await fails(1, "submit", "wrods")).toContain("SERVICE_UNKNOWN");
    expect(await fails(2, "jobs", "--state", "faild")).toContain('did you mean "failed"?');
    expect(await fails(2, "jobs", "wait")).toContain("an argument is missing");
    expect(await fails(1, "jobs", "wait", "words-00000000-0000-4000-8000-000000000000")).toContain("JOB_UNKNOWN");
    expect(await fails(2, "submit", "words", "no-such-file")).toContain("there is no such file");
  });
});

describe("where the server is", () => {
  it("is remembered by login, which tries the credentials first", async () => {
    const home = await newFolder("home");
    const env = { ...cleanEnv(), HOME: home };
    const { user, password } = server.admin;
    const login = (given: string) =>
      runCli(["login", server.api, "--name", "lab", "--user", user, "--password-stdin"], env, {
        input: `${given}\n`,
        cwd: home,
      });
    expect(await login("wrong")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("sluice: UNAUTHENTICATED: "),
    });
    expect(await readdir(home)).toEqual([]);
    expect((await login(password)).stdout).toContain('the context "lab"');
    expect((await stat(join(home, ".config/sluice/config.yaml"))).mode & 0o777).toBe(0o600);
    expect(await runCli(["status"], env, { cwd: home })).toMatchObject({ code: 0 });
    expect((await runCli(["context", "list"], env, { cwd: home })).stdout).toContain(server.api);
    await rm(home, { recursive: true });
  });

  it("is found by its data directory, but not when others could have written there", async () => {
    const env = { ...cleanEnv(), HOME: "/nonexistent" };
    expect(await runCli(["status", "--data", server.data], env)).toMatchObject({ code: 0 });
    expect((await runCli(["services", "--data", server.data, "-o", "name"], env)).stdout).toBe("words\n");
    await chmod(join(server.data, "server.json"), 0o644);
    const open = await runCli(["status", "--data", server.data], env);
    await chmod(join(server.data, "server.json"), 0o600);
    expect(open).toMatchObject({ code: 3, stderr: expect.stringContaining("chmod 600") });
  });

  it("is asked for when nothing names it, and said to be started when it does not answer", async () => {
    const env = { ...cleanEnv(), HOME: "/nonexistent" };
    expect(await runCli(["jobs"], env, { cwd: folder })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("npx sluice up"),
    });
    const down = await runCli(["ls", "--endpoint", "http://127.0.0.1:9"], env);
    expect(down).toMatchObject({ code: 3, stderr: expect.stringContaining("npx sluice up") });
    const wrong = await server.cli(["jobs", "--user", "admin", "--password", "nope"]);
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining("UNAUTHENTICATED") });
  });

  it("can be overridden for the object store", async () => {
    const env = { AWS_ACCESS_KEY_ID: "somebody", AWS_SECRET_ACCESS_KEY: "else" };
    const { code, stderr } = await server.cli(["ls", "hostile"], { env });
    expect(code).toBe(3);
    expect(stderr).toContain("AWS_ACCESS_KEY_ID");
  });
});

describe("the server itself", () => {
  it("is backed up while it runs, and restored without it", async () => {
    await file("kept.txt", "kept");
    await ok("mb", "kept");
    await ok("put", "kept.txt", "kept/");
    const target = join(folder, "backup");
    expect(await ok("backup", "backup")).toContain(`sluice restore ${target} DIR`);
    expect(await fails(1, "backup", "backup")).toContain("BACKUP_INVALID");
    await ok("restore", "backup", "restored");
    expect(await fails(1, "restore", "backup", "restored")).toContain("it is not empty");
    expect(await fails(1, "restore", "tree", "elsewhere")).toContain("no backup of Sluice");
    const again = await startServer({ data: join(folder, "restored") });
    const got = await again.cli(["get", "kept/kept.txt", "kept-again.txt"], { cwd: folder });
    expect(await again.stop()).toBe(0);
    expect(got.code).toBe(0);
    expect(await readFile(join(folder, "kept-again.txt"), "utf8")).toBe("kept");
  });

  it("gets new credentials while it does not run, and none while it does", async () => {
    const reset = await server.cli(["admin", "reset", "--data", server.data]);
    expect(reset).toMatchObject({ code: 1, stderr: expect.stringMatching(/DATA_DIR_LOCKED.*process \d+ uses it/) });
    const data = join(folder, "reset");
    const before = await startServer({ data });
    await before.stop();
    expect((await runCli(["admin", "reset", "--data", data], cleanEnv())).code).toBe(0);
    const after = await startServer({ data });
    const old = await after.cli(["status", "--user", before.admin.user, "--password", before.admin.password]);
    expect((await after.cli(["status"])).code).toBe(0);
    await after.stop();
    expect(old.code).toBe(3);
    expect(after.admin.password).not.toBe(before.admin.password);
  });

  it("says one line when it is ready, and nothing else on stdout", async () => {
    const up = spawn(
      process.execPath,
      [SLUICE_BIN, "up", "--data", join(folder, "plain"), "--port", "0", "--s3-port", "0"],
      { env: cleanEnv() },
    );
    let out = "";
    up.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    await expect.poll(() => out, { timeout: 30_000 }).toContain("\n");
    up.kill("SIGINT");
    const [code] = await once(up, "exit");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^Sluice is ready: API http:\/\/127\.0\.0\.1:\d+, S3 http:\S+, data and credentials in \S+ \(Ctrl-C stops it\)\n$/,
    );
  });

  it("ends at once on a second signal, though a job runs", async () => {
    const own = await startServer({ args: ["--drain", "10m"] });
    await own.cli(["apply", "words.yaml"], { cwd: folder });
    const id = (await own.cli(["submit", "words"], { input: "slow" })).stdout.trim();
    await expect
      .poll(() => own.cli(["jobs", "show", id]), { timeout: 30_000 })
      .toMatchObject({ stdout: expect.stringMatching(/RUNNING/) });
    process.kill(own.pid, "SIGTERM");
    await expect.poll(() => own.log(), { timeout: 10_000 }).toContain('"stopping"');
    await sleep(1100);
    process.kill(own.pid, "SIGTERM");
    expect(await own.exited).toBe(143);
    await rm(join(own.data, ".."), { recursive: true, force: true });
  });

  it("is judged by the doctor, who needs none", async () => {
    const { code, stdout } = await runCli(["doctor", "--data", join(folder, "nowhere")], cleanEnv());
    expect(stdout).toContain("A sandbox started, ran and ended here.");
    expect(stdout).toMatch(/^ {2}memory +(enforced|weaker|missing)/m);
    expect(code).toBe(0);
    const asData = await runCli(["doctor", "-o", "json"], cleanEnv(), { cwd: folder });
    expect(JSON.parse(asData.stdout)).toMatchObject({ sandbox: { works: true } });
    expect((await readdir(folder)).includes("nowhere")).toBe(false);
  });

  it("is judged with the settings that it would have", async () => {
    const config = join(folder, "judged.yaml");
    await writeFile(config, "data: of-the-file\nallow_host_network: true\n");
    const judged = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
      const { stdout } = await runCli(["doctor", "-o", "json", ...args], cleanEnv(), { cwd: folder, env });
      const report = JSON.parse(stdout);
      const disk = report.machine.find(({ name }: { name: string }) => name === "data-file-system");
      const networks = report.sandbox.networks.filter((name: string) => name !== "outbound");
      return [networks.join(), disk.found.replace(/.*\//, "")];
    };
    expect(await judged([])).toEqual(["none", "sluice-data"]);
    expect(await judged(["--config", config])).toEqual(["none,host", "of-the-file"]);
    expect(await judged(["--data", "of-the-flag"], { SLUICE_CONFIG: config })).toEqual(["none,host", "of-the-flag"]);
    expect(await judged([], { SLUICE_DATA: "of-the-environment" })).toEqual(["none", "of-the-environment"]);
    await writeFile(config, "allow_host_netwrk: true\n");
    expect(await fails(2, "doctor", "--config", config)).toContain('did you mean "allow_host_network"?');
  });

  it("does not start on wrong settings", async () => {
    expect(await fails(2, "up", "--port", "many")).toMatch(/flag --port: port: /);
    expect(await fails(2, "up", "--prot", "1")).toContain('did you mean "--port"?');
  });
});

it("a reader that goes away ends the command quietly", async () => {
  const pipe = `set -o pipefail; "$0" "$1" --help | true`;
  const { stderr } = await promisify(execFile)("bash", ["-c", pipe, process.execPath, SLUICE_BIN], { env: cleanEnv() });
  expect(stderr).toBe("");
});
