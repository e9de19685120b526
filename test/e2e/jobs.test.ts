import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { allJobs, api, applyServices, changeLog, type JobRow, s3Of, settled } from "../support/workflow.ts";

/** The life of jobs through the real server: retries, cancel, order, conflicts, pinning, loops, environment, drain. */

let server: RunningServer;
let s3: S3Client;

beforeAll(async () => {
  server = await startServer();
  s3 = s3Of(server);
});
afterAll(() => server?.stop());

const put = (Bucket: string, Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const text = async (Bucket: string, Key: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
const jobsOf = async (service: string) => (await settled(server)).filter((job) => job.service === service);
const running = (service: string) =>
  expect
    .poll(async () => (await allJobs(server, `&service=${service}&state=RUNNING`)).length, {
      timeout: 20_000,
      interval: 50,
    })
    .toBeGreaterThan(0);

it("tries a failing script again as often as it says, with one log an attempt", async () => {
  await applyServices(server, [
    {
      name: "flaky",
      script: 'echo "try"; exit 5\n',
      input: "flaky/in",
      more: { retries: "{max_attempts: 3, backoff: 100ms}" },
    },
  ]);
  await put("flaky", "in/a", "x");
  const [job] = await jobsOf("flaky");
  expect(job).toMatchObject({ state: "FAILED", reason: "exit", exit_code: 5, attempt: 3 });
  const detail = (await (await api(server, `/system/jobs/${job?.id}`)).json()) as {
    attempts: Array<{ outcome: string }>;
  };
  expect(detail.attempts.map((attempt) => attempt.outcome)).toEqual(["exit", "exit", "exit"]);
  const first = await (await api(server, `/system/jobs/${job?.id}/logs?attempt=1`)).text();
  expect(first).toBe("try\n");
});

it("cancels queued and running jobs, and retries by hand on the same version of the input", async () => {
  await applyServices(server, [
    {
      name: "slow",
      script: 'cat "$INPUT_FILE_PATH"; test -n "$QUICK" || sleep 600\n',
      input: "slow/in",
      more: { concurrency: "1" },
    },
  ]);
  await put("slow", "in/a", "first");
  await put("slow", "in/b", "second");
  await running("slow");
  const waiting = (await allJobs(server, "&service=slow&state=QUEUED"))[0] as JobRow;
  const shown = JSON.parse((await server.cli(["jobs", "show", waiting.id, "-o", "json"])).stdout);
  expect(JSON.stringify(shown)).toMatch(/1 of at most 1/);
  for (const job of await allJobs(server, "&service=slow"))
    expect((await server.cli(["jobs", "cancel", job.id])).code).toBe(0);
  const cancelled = await jobsOf("slow");
  expect(cancelled.map((job) => job.state)).toEqual(["CANCELLED", "CANCELLED"]);
  expect((await server.cli(["jobs", "cancel", waiting.id])).stderr).toMatch(/JOB_STATE/);

  await put("slow", "in/a", "third, which is newer");
  await running("slow");
  for (const job of await allJobs(server, "&service=slow&state=RUNNING")) await server.cli(["jobs", "cancel", job.id]);
  await settled(server);
  await applyServices(server, [{ name: "slow", script: 'cat "$INPUT_FILE_PATH"\n', input: "slow/in" }]);
  const oldest = cancelled.find((job) => job.input?.key === "in/a") as JobRow;
  expect(await server.cli(["jobs", "retry", oldest.id])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("OBJECT_UNKNOWN"),
  });
  const newest = (await allJobs(server, "&service=slow")).at(-1) as JobRow;
  expect((await server.cli(["jobs", "retry", newest.id])).code).toBe(0);
  const again = (await jobsOf("slow")).at(-1) as JobRow;
  expect(again).toMatchObject({ state: "SUCCEEDED", input: { key: "in/a", version: newest.input?.version } });
  expect(await (await api(server, `/system/jobs/${again.id}/logs`)).text()).toBe("third, which is newer");
});

it("runs jobs on one key in the order of their events, and pins each job's version", async () => {
  await applyServices(server, [
    {
      name: "orders",
      script: 'sleep 0.2; cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$JOB_UUID"\n',
      input: "orders/in",
      output: "orders/out",
    },
  ]);
  for (const body of ["1", "2", "3"]) await put("orders", "in/same", body);
  const jobs = await jobsOf("orders");
  expect(jobs.map((job) => job.state)).toEqual(["SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]);
  const bodies = await Promise.all(jobs.map(async (job) => text("orders", `out/${job.id}`)));
  expect(bodies).toEqual(["1", "2", "3"]);
  const ends = (await changeLog(server)).filter(
    (change) => change.kind === "job.succeeded" && change.data.service === "orders",
  );
  expect(ends.map((change) => change.key)).toEqual(jobs.map((job) => job.id));
});

describe("outputs of two jobs under one key", () => {
  const script = 'echo "$FILE_NAME" > "$TMP_OUTPUT_DIR/result.txt"\n';
  it.each([
    ["overwrite", ["SUCCEEDED", "SUCCEEDED"], 1],
    ["rename", ["SUCCEEDED", "SUCCEEDED"], 2],
    ["fail", ["FAILED", "SUCCEEDED"], 1],
  ])("on_conflict: %s", async (policy, states, objects) => {
    const name = `conflict-${policy}`;
    await applyServices(server, [
      { name, script, input: `${name}/in`, output: `${name}/out`, more: { on_conflict: policy } },
    ]);
    await put(name, "in/a", "x");
    await jobsOf(name);
    await put(name, "in/b", "x");
    const jobs = await jobsOf(name);
    expect(jobs.map((job) => job.state).toSorted()).toEqual(states);
    if (policy === "fail")
      expect(jobs.find((job) => job.state === "FAILED")).toMatchObject({ reason: "output_conflict" });
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: name, Prefix: "out/" }));
    expect(listed.KeyCount).toBe(objects);
    if (policy === "overwrite") {
      const waited = await server.cli(["jobs", "wait", ...jobs.map((job) => job.id)]);
      expect(waited.stdout + waited.stderr).toMatch(/on_conflict/);
    }
  });
});

it("gives the script what the contract says", async () => {
  await applyServices(server, [
    {
      name: "environment",
      script:
        'env | sort > "$TMP_OUTPUT_DIR/env.txt"\npwd > "$TMP_OUTPUT_DIR/pwd.txt"\nls -la "$TMP_INPUT_DIR" > "$TMP_OUTPUT_DIR/ls.txt"\ncp "$EVENT_FILE" "$TMP_OUTPUT_DIR/event.json"\ntouch here; touch "$TMP_INPUT_DIR/beside"; echo x >> "$INPUT_FILE_PATH"; echo "rc $?"; id -u\n',
      input: "environment/in",
      output: "environment/out",
      more: { environment: "{variables: {COLOUR: 'deep blue'}, secrets: {PASSPHRASE: 'open sesame'}}" },
    },
  ]);
  await put("environment", "in/my file.txt", "hello");
  const [job] = await jobsOf("environment");
  expect(job).toMatchObject({ state: "SUCCEEDED" });
  const environment = Object.fromEntries(
    ((await text("environment", "out/env.txt")) ?? "").split("\n").map((line) => line.split(/=(.*)/s)),
  );
  expect(environment).toMatchObject({
    FILE_NAME: "my file.txt",
    STORAGE_OBJECT_KEY: "in/my file.txt",
    OSCAR_SERVICE_NAME: "environment",
    JOB_UUID: job?.id,
    REQUEST_ID: job?.id,
    COLOUR: "deep blue",
    PASSPHRASE: "open sesame",
    LANG: "C.UTF-8",
  });
  expect(environment.INPUT_FILE_PATH).toBe(`${environment.TMP_INPUT_DIR}/my file.txt`);
  expect(environment.INPUT_FILE).toBe(environment.INPUT_FILE_PATH);
  for (const name of [
    "TMP_OUTPUT_DIR",
    "EVENT",
    "EVENT_TIME",
    "RESOURCE_ID",
    "HOME",
    "PATH",
    "TMPDIR",
    "OSCAR_SERVICE_BASE_PATH",
    "LOG_LEVEL",
  ])
    expect(environment[name]).toBeTruthy();
  expect(environment.OSCAR_SERVICE_TOKEN).toMatch(/^[0-9a-f]{64}$/);
  for (const name of Object.keys(environment)) expect(name).not.toMatch(/^(SLUICE_|AWS_|NODE_|npm_)/);
  expect(JSON.parse((await text("environment", "out/event.json")) ?? "").Records[0].s3.object.key).toBe(
    "in/my+file.txt",
  );
  const log = await (await api(server, `/system/jobs/${job?.id}/logs`)).text();
  expect(log).toMatch(/rc [12]/);
  expect(log).not.toContain("open sesame");
  const listed = (await server.cli(["services", "environment", "-o", "json"])).stdout;
  expect(listed).not.toContain("open sesame");
  // The token of the attempt died with it.
  const late = await fetch(`${server.api}/job/environment`, {
    method: "POST",
    headers: { authorization: `Bearer ${environment.OSCAR_SERVICE_TOKEN}` },
    body: "x",
  });
  expect(late.status).toBe(401);
});

it("fills the placeholders of an output path and keeps other braces, also under a hard quota", async () => {
  await applyServices(server, [
    {
      name: "places",
      script:
        'echo "$LOG_LEVEL" > "$TMP_OUTPUT_DIR/level.txt"; mkdir "$TMP_OUTPUT_DIR/deep"; : > "$TMP_OUTPUT_DIR/deep/x"\n',
      input: "places/in",
      output: "'places/filed/{date}/{stem}/{input}/{job}/{what}'",
      more: { cpu_limit: "true", cpu: "'0.5'", log_level: "DEBUG" },
    },
  ]);
  await put("places", "in/a.b.txt", "x");
  const [job] = await jobsOf("places");
  expect(job).toMatchObject({ state: "SUCCEEDED", output_count: 2 });
  const day = ((await (await api(server, `/system/jobs/${job?.id}`)).json()) as { created_at: string }).created_at;
  const folder = `filed/${day.slice(0, 10)}/a.b/a.b.txt/${job?.id}/{what}`;
  expect(await text("places", `${folder}/level.txt`)).toBe("DEBUG\n");
  expect(await text("places", `${folder}/deep/x`)).toBe("");
});

it("shows a job's attempts and usage, and a server's capacity and queues", async () => {
  await applyServices(server, [
    {
      name: "shown",
      script: 'test -n "$QUICK" || sleep 600\n',
      input: "shown/in",
      more: { concurrency: "1", retries: "{max_attempts: 2, backoff: 50ms}", timeout: "1s" },
    },
  ]);
  await put("shown", "in/a", "x");
  await put("shown", "in/b", "x");
  await running("shown");
  const status = (await server.cli(["status"])).stdout;
  expect(status).toMatch(/^local +local +\d+\/\d+ +[\d.]+\/[\d.]+ +\S+\/\S+ +\S+\/\S+$/m);
  expect(status).toMatch(/^shown +1 +1 .*1 of at most 1/m);
  const [job] = await jobsOf("shown");
  const shown = (await server.cli(["jobs", "show", job?.id ?? ""])).stdout;
  expect(shown).toMatch(/^attempt 1 .* on local: timeout: .+\n(?:.*\n)?attempt 2 .* on local: timeout/m);
  for (const fact of ["cpu time", "memory", "took", "message"]) expect(shown).toMatch(new RegExp(`^${fact} +\\S`, "m"));
});

it("follows a log while the script writes it", async () => {
  await applyServices(server, [
    { name: "talks", script: "for n in 1 2 3 4 5; do echo line $n; sleep 0.3; done\n", input: "talks/in" },
  ]);
  await put("talks", "in/a", "x");
  await running("talks");
  const [job] = await allJobs(server, "&service=talks");
  const answer = await api(server, `/system/jobs/${job?.id}/logs?follow=true`);
  let pieces = 0;
  let whole = "";
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    pieces += 1;
    whole += piece;
  }
  expect(whole).toBe("line 1\nline 2\nline 3\nline 4\nline 5\n");
  expect(pieces).toBeGreaterThan(1);
});

it("takes a call's body as input, by user and by service token, and answers with the job's id", async () => {
  await applyServices(server, [
    { name: "calls", script: 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$JOB_UUID"\n', output: "calls/out" },
  ]);
  const { token } = (await (await api(server, "/system/services/calls")).json()) as { token: string };
  const asUser = await api(server, "/job/calls", { method: "POST", body: "from a user" });
  const asService = await fetch(`${server.api}/job/calls`, {
    method: "POST",
    body: "from a token",
    headers: { authorization: `Bearer ${token}` },
  });
  expect([asUser.status, asService.status]).toEqual([201, 201]);
  await settled(server);
  expect(await text("calls", `out/${asUser.headers.get("job-id")}`)).toBe("from a user");
  expect(await text("calls", `out/${asService.headers.get("job-id")}`)).toBe("from a token");
  const submitted = await server.cli(["submit", "calls"], { input: "from the command line" });
  await settled(server);
  expect(await text("calls", `out/${submitted.stdout.trim()}`)).toBe("from the command line");
  const again = (await server.cli(["jobs", "retry", submitted.stdout.trim()])).stdout.trim();
  await settled(server);
  expect(await text("calls", `out/${again}`)).toBe("from the command line");
  expect((await api(server, "/job/nobody", { method: "POST", body: "x" })).status).toBe(404);
  expect((await fetch(`${server.api}/job/calls`, { method: "POST", body: "x" })).status).toBe(401);
});

describe("services that feed themselves", () => {
  it("are refused at apply", async () => {
    const own = applyServices(server, [
      { name: "ring", script: ":\n", input: "ring/in", output: "ring/in", more: { concurrency: "1" } },
    ]);
    await expect(own).rejects.toThrow(/allow_loops: true to allow it/);
    expect((await api(server, "/system/services/ring")).status).toBe(404);
  });

  it("stop after 16 jobs where they are allowed", async () => {
    await applyServices(server, [
      {
        name: "spiral",
        script: 'echo x > "$TMP_OUTPUT_DIR/$(cat /proc/sys/kernel/random/uuid)"\n',
        input: "spiral/in",
        output: "spiral/in",
        more: { allow_loops: "true" },
      },
    ]);
    await put("spiral", "in/a", "x");
    const jobs = await jobsOf("spiral");
    expect(jobs.filter((job) => job.state === "SUCCEEDED")).toHaveLength(17);
    expect(jobs.at(-1)).toMatchObject({ state: "FAILED", reason: "loop", hops: 17 });
  });
});

it("says all mistakes of a definition at once, each with its place, and applies none", async () => {
  const folder = await newFolder("wrong");
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "wrong.yaml"),
    "functions:\n  oscar:\n  - local:\n      name: Bad_Name\n      script: absent.sh\n      memroy: 1Gi\n      cpu: lots\n      input:\n      - {storage_provider: minio, path: ''}\n  - local:\n      name: oci\n      image: docker.io/library/python:3\n      script: absent.sh\n",
  );
  const applied = await server.cli(["apply", join(folder, "wrong.yaml")]);
  expect(applied.code).toBe(2);
  for (const says of [/Bad_Name/, /did you mean.*memory/, /cpu/, /absent\.sh/, /wrong\.yaml:\d+:\d+/])
    expect(applied.stderr).toMatch(says);
  await writeFile(join(folder, "absent.sh"), ":\n");
  await writeFile(
    join(folder, "oci.yaml"),
    "functions:\n  oscar:\n  - local: {name: fine, script: absent.sh}\n  - local: {name: oci, image: 'docker.io/library/python:3', script: absent.sh}\n",
  );
  const oci = await server.cli(["apply", join(folder, "oci.yaml")]);
  expect(oci.code).not.toBe(0);
  expect(oci.stderr).toMatch(/IMAGE_UNSUPPORTED|image/);
  expect((await api(server, "/system/services/fine")).status).toBe(404);
});

it("drains: running jobs end, later ones wait for the next start, nothing is counted against them", async () => {
  const data = `${await newFolder("drain")}/data`;
  let own = await startServer({ data, args: ["--drain", "2s"] });
  await applyServices(own, [
    { name: "quick", script: 'sleep 1; touch "$TMP_OUTPUT_DIR/$FILE_NAME"\n', input: "quick/in", output: "quick/out" },
    {
      name: "long",
      script: 'test -e /nowhere; sleep 30; touch "$TMP_OUTPUT_DIR/$FILE_NAME"\n',
      input: "long/in",
      output: "long/out",
    },
  ]);
  const client = s3Of(own);
  await client.send(new PutObjectCommand({ Bucket: "quick", Key: "in/a", Body: "x" }));
  await client.send(new PutObjectCommand({ Bucket: "long", Key: "in/a", Body: "x" }));
  await expect.poll(async () => (await allJobs(own, "&state=RUNNING")).length, { timeout: 20_000 }).toBe(2);
  await sleep(100);
  expect(await own.stop()).toBe(0);
  own = await startServer({ data });
  try {
    const jobs = await allJobs(own);
    expect(jobs.find((job) => job.service === "quick")).toMatchObject({ state: "SUCCEEDED", attempt: 1 });
    expect(["QUEUED", "RUNNING"]).toContain(jobs.find((job) => job.service === "long")?.state);
    for (const job of jobs.filter((each) => each.service === "long")) await own.cli(["jobs", "cancel", job.id]);
  } finally {
    await own.stop();
  }
});

it("goes on when somebody removes the work folder: running attempts are told lost, the next ones run", async () => {
  const script = 'cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/out"; sleep "$(cat "$INPUT_FILE_PATH")"\n';
  await applyServices(server, [{ name: "wiped", script, input: "wiped/in" }]);
  await put("wiped", "in/long", "2");
  await running("wiped");
  await rm(join(server.data, "work"), { recursive: true });
  await put("wiped", "in/short", "0");
  const jobs = await jobsOf("wiped");
  expect(jobs.map(({ state, attempt }) => `${state} ${attempt}`).toSorted()).toEqual(["SUCCEEDED 1", "SUCCEEDED 2"]);
  const lost = jobs.find(({ attempt }) => attempt === 2);
  expect(await (await api(server, `/system/jobs/${lost?.id}`)).json()).toMatchObject({
    attempts: [
      { outcome: "infrastructure", message: "its folder was removed from the data directory while it ran" },
      { outcome: "ok" },
    ],
  });
});
