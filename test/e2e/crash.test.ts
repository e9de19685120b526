import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it } from "vitest";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { applyServices, type ChangeRow, changeLog, s3Of, settled } from "../support/workflow.ts";

/** Promises 1 to 3 under kill -9: what was acknowledged is there, every job succeeds once, every output exists once. */

const COPY = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n';
const STEPS = [
  { name: "first", script: COPY, input: "work/in", output: "work/mid" },
  { name: "second", script: COPY, input: "work/mid", output: "work/out" },
];

let data = "";
let server: RunningServer | null = null;

afterEach(async () => {
  await server?.kill9().catch(() => {});
  server = null;
});

async function boot(env: Record<string, string> = {}): Promise<RunningServer> {
  if (data === "") data = `${await newFolder("crash")}/data`;
  server = await startServer({ data, env });
  return server;
}

/** Uploads until every key is acknowledged, through any number of deaths of the server. Returns how often an upload had to be repeated. */
async function uploadAll(current: () => RunningServer, keys: readonly string[], parallel: number): Promise<number> {
  const waiting = [...keys];
  let repeats = 0;
  const one = async (): Promise<void> => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      for (;;) {
        const sent = s3Of(current()).send(new PutObjectCommand({ Bucket: "work", Key: key, Body: `text of ${key}` }));
        if (
          await sent.then(
            () => true,
            () => false,
          )
        )
          break;
        repeats += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  return repeats;
}

/** What the change log must say, whatever happened in between. */
function judge(changes: readonly ChangeRow[], acknowledged: readonly string[]): void {
  const seqs = changes.map((change) => change.seq);
  expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 1) + index));
  const versionsOf = (prefix: string) =>
    changes
      .filter((change) => change.kind === "object.created" && change.key.startsWith(`work/${prefix}/`))
      .map((change) => `${change.data.key}@${change.data.versionSeq}`);
  const inputsOf = (kind: string, service: string) =>
    changes
      .filter((change) => change.kind === kind && change.data.service === service)
      .map((change) => `${change.data.key}@${change.data.versionSeq}`);

  const uploaded = versionsOf("in");
  expect(new Set(uploaded).size).toBe(uploaded.length);
  const names = new Set(uploaded.map((version) => version.replace(/@\d+$/, "")));
  expect(acknowledged.filter((key) => !names.has(key))).toEqual([]);
  // One job an uploaded version, one success a job, one output a success, and the same again for the second step.
  expect(inputsOf("job.succeeded", "first").toSorted()).toEqual(uploaded.toSorted());
  const between = versionsOf("mid");
  expect(between).toHaveLength(uploaded.length);
  expect(inputsOf("job.succeeded", "second").toSorted()).toEqual(between.toSorted());
  expect(versionsOf("out")).toHaveLength(between.length);
  const makers = changes
    .filter((change) => change.kind === "object.created" && change.data.jobId)
    .map((change) => change.data.jobId);
  expect(new Set(makers).size).toBe(makers.length);
}

describe("a server killed at a named point", () => {
  it.each([
    ["put.blob-staged", 3],
    ["put.committed", 3],
    ["lease.committed", 2],
    ["attempt.started", 2],
    ["output.staged", 3],
    ["finish.before-commit", 2],
    ["finish.committed", 2],
  ])("%s (pass %i) loses and repeats nothing", async (point, pass) => {
    data = "";
    await boot();
    await applyServices(server as RunningServer, STEPS);
    await server?.stop();
    const doomed = await boot({ SLUICE_CRASH_AT: `${point}:${pass}` });
    const keys = Array.from({ length: 12 }, (_, n) => `in/${n}.txt`);
    const died = doomed.exited.then(async (code) => {
      expect(code).toBe("SIGKILL");
      await boot();
    });
    await Promise.all([uploadAll(() => server as RunningServer, keys, 4), died]);
    const jobs = await settled(server as RunningServer);
    expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
    judge(await changeLog(server as RunningServer), keys);
  });
});

describe("a server killed while it goes on with what a transaction left", () => {
  /** Starts a server that dies at the point, and returns it once it has died of what `doing` did. */
  async function killedAt(point: string, doing: (doomed: RunningServer) => Promise<unknown>): Promise<void> {
    const doomed = await boot({ SLUICE_CRASH_AT: point });
    await doing(doomed);
    expect(await doomed.exited).toBe("SIGKILL");
    await boot();
  }
  const blobFiles = async () => {
    const files = await readdir(join(data, "blobs"), { recursive: true, withFileTypes: true });
    return files.filter((file) => file.isFile());
  };
  const remove = (Key: string) => s3Of(server as RunningServer).send(new DeleteObjectCommand({ Bucket: "work", Key }));
  const put = (Key: string, Body: string) =>
    s3Of(server as RunningServer).send(new PutObjectCommand({ Bucket: "work", Key, Body }));

  it.each([[1], [2]])(
    "fan-out.chunk (pass %i): each of 1,200 outputs is one object and at most one job",
    async (pass) => {
      data = "";
      await boot();
      const script =
        'n=0; while [ $n -lt 1200 ]; do s=txt; [ $((n % 8)) -eq 0 ] && s=go; : > "$TMP_OUTPUT_DIR/$n.$s"; n=$((n+1)); done\n';
      await applyServices(server as RunningServer, [
        { name: "many", script, input: "work/in", output: "work/mid" },
        {
          name: "next",
          script: ":\n",
          more: { input: "[{storage_provider: minio, path: work/mid, suffix: [.go]}]" },
        },
      ]);
      await server?.stop();
      await killedAt(`fan-out.chunk:${pass}`, () => put("in/one", "x"));
      const jobs = await settled(server as RunningServer, 120_000);
      expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
      const changes = await changeLog(server as RunningServer);
      const of = (kind: string) => changes.filter((change) => change.kind === kind);
      const made = of("object.created").filter((change) => change.key.startsWith("work/mid/"));
      expect(new Set(made.map((change) => change.key)).size).toBe(1200);
      expect(made).toHaveLength(1200);
      for (const kind of ["job.queued", "job.succeeded"]) {
        const keys = of(kind).filter((change) => change.data.service === "next");
        expect(keys.map((change) => change.data.key).toSorted()).toEqual(
          Array.from({ length: 150 }, (_, n) => `mid/${n * 8}.go`).toSorted(),
        );
      }
    },
  );

  it("delete.committed: the object is gone once, and deleting it again is no mistake", async () => {
    data = "";
    await boot();
    await server?.cli(["mb", "work"]);
    await put("a", "x");
    await server?.stop();
    await killedAt("delete.committed", () => expect(remove("a")).rejects.toThrow());
    await expect(
      s3Of(server as RunningServer).send(new GetObjectCommand({ Bucket: "work", Key: "a" })),
    ).rejects.toMatchObject({ name: "NoSuchKey" });
    await remove("a");
    const removed = (await changeLog(server as RunningServer)).filter((change) => change.kind === "object.removed");
    expect(removed).toHaveLength(1);
  });

  it("sweep.unlinked: the files of removed objects go, and those of others stay", async () => {
    data = "";
    await boot();
    await server?.cli(["mb", "work"]);
    const large = "0123456789".repeat(20_000);
    for (const key of ["kept", "gone"]) await put(key, `${key} ${large}`);
    await server?.stop();
    expect(await blobFiles()).toHaveLength(2);
    await killedAt("sweep.unlinked", () => remove("gone"));
    await expect.poll(blobFiles, { timeout: 20_000 }).toHaveLength(1);
    const kept = await s3Of(server as RunningServer).send(new GetObjectCommand({ Bucket: "work", Key: "kept" }));
    expect(await kept.Body?.transformToString()).toBe(`kept ${large}`);
  });
});

it("survives 50 kills at random instants of a workflow over 500 files", async () => {
  data = "";
  await boot();
  await applyServices(server as RunningServer, STEPS);
  const keys = Array.from({ length: 500 }, (_, n) => `in/${n}.txt`);
  const uploads = uploadAll(() => server as RunningServer, keys, 8);
  for (let kill = 0; kill < 50; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 500));
    await server?.kill9();
    await boot();
  }
  await uploads;
  const jobs = await settled(server as RunningServer, 120_000);
  expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
  expect(jobs.some((job) => job.attempt > 1)).toBe(true);
  judge(await changeLog(server as RunningServer, 3000), keys);
}, 600_000);
