import { chmodSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DurableDisk, type Unsynced } from "../support/durable-disk.ts";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { descriptor, readTrace, type Syscall, sentBytes, straceArguments, strings } from "../support/syscall-trace.ts";
import { applyServices, s3Of, settled } from "../support/workflow.ts";

/** Promise 1: kill -9 alone proves nothing, as the page cache survives it. So the system calls of a real server are recorded: first they must
 *  come in the promised order; then the disk that a power cut would leave is rebuilt at each sync, and a server started on it. */

const FILES = 5;
/** Large ones become blob files; every third is small and lies in its row. */
const isSmall = (n: number): boolean => n % 3 === 2;
const textOf = (n: number): string => `file ${n} `.repeat(isSmall(n) ? 100 : 20_000);
let folder = "";
let data = "";
let trace = "";
const calls: Syscall[] = [];

beforeAll(async () => {
  folder = await newFolder("trace");
  data = join(folder, "data");
  trace = join(folder, "trace.txt");
  const server = await startServer({ data, under: straceArguments(trace) });
  await applyServices(server, [
    { name: "copy", script: 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n', input: "work/in", output: "work/out" },
  ]);
  const s3 = s3Of(server);
  for (let n = 0; n < FILES; n++)
    await s3.send(new PutObjectCommand({ Bucket: "work", Key: `in/${n}`, Body: textOf(n) }));
  await settled(server);
  await server.kill9();
  for await (const call of readTrace(trace)) calls.push(call);
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Where each upload was acknowledged: answers 200 with an ETag and no body, on the way out of the server. */
function acknowledgements(): number[] {
  return calls.flatMap((call, index) => {
    const sent = sentBytes(call)?.toString("latin1") ?? "";
    return /^HTTP\/1\.1 200/.test(sent) && /\r\netag: /i.test(sent) && /content-length: 0/i.test(sent) ? [index] : [];
  });
}

it("syncs the blob, its folder and the database before it answers 200", () => {
  const answers = acknowledgements();
  expect(answers).toHaveLength(FILES);
  for (let n = 0; n < FILES; n++) {
    if (isSmall(n)) continue;
    const from = calls.findIndex(
      (call) =>
        ["write", "writev", "pwrite64"].includes(call.name) &&
        strings(call.args).some((bytes) => bytes.includes(textOf(n).slice(0, 64))) &&
        (descriptor(call.args)?.path ?? "").includes("/blobs/"),
    );
    expect(from).toBeGreaterThan(-1);
    const blob = descriptor(calls[from]?.args ?? "")?.path ?? "";
    const until = answers[n] ?? 0;
    const synced = (path: (name: string) => boolean, after: number): number =>
      calls.findIndex(
        (call, index) =>
          index > after && index < until && /^f(data)?sync$/.test(call.name) && path(descriptor(call.args)?.path ?? ""),
      );
    const blobSync = synced((name) => name === blob, from);
    const folderSync = synced((name) => blob.startsWith(`${name}/`), from);
    expect(blobSync).toBeGreaterThan(from);
    expect(folderSync).toBeGreaterThan(from);
    expect(synced((name) => name.endsWith("-wal"), Math.max(blobSync, folderSync))).toBeGreaterThan(-1);
  }
});

describe("a power cut", () => {
  const coin = (seed: number) => (index: number) => ((index * 2654435761 + seed * 40503) >>> 7) % 2 === 0;
  const cases: Array<[string, Unsynced]> = [
    ["no unsynced write reaches the disk", "none"],
    ["any subset of unsynced writes reaches the disk", coin(1)],
  ];

  it.each(cases)(
    "keeps every acknowledged upload when %s",
    async (_, unsynced) => {
      const answers = acknowledgements();
      const first = (answers[0] ?? 0) - 60;
      const disk = new DurableDisk(data);
      let cuts = 0;
      for (const [index, call] of calls.entries()) {
        const syncs = disk.apply(call);
        const acknowledged = answers.filter((answer) => answer <= index).length;
        if (index < first || !(syncs || answers.includes(index))) continue;
        if (acknowledged === 0) continue;
        cuts += 1;
        if (cuts % 3 !== 1) continue;
        await expectUploads(disk, unsynced, acknowledged);
      }
      expect(cuts).toBeGreaterThan(FILES);
    },
    300_000,
  );
});

async function expectUploads(disk: DurableDisk, unsynced: Unsynced, acknowledged: number): Promise<void> {
  const copy = await mkdtemp(join(tmpdir(), "sluice-cut-"));
  let server: RunningServer | null = null;
  try {
    chmodSync(copy, 0o711);
    disk.writeTo(join(copy, "data"), unsynced, process.getuid?.() === 0 ? 200_000 : null);
    server = await startServer({ data: join(copy, "data") });
    const s3 = s3Of(server);
    for (let n = 0; n < acknowledged; n++) {
      const got = await s3.send(new GetObjectCommand({ Bucket: "work", Key: `in/${n}` }));
      expect(await got.Body?.transformToString()).toBe(textOf(n));
    }
    // Their events survived too: each ends in its output.
    await settled(server);
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: "work", Prefix: "out/" }));
    const keys = listed.Contents?.map((object) => object.Key) ?? [];
    expect(keys).toEqual(expect.arrayContaining(Array.from({ length: acknowledged }, (_, n) => `out/${n}`)));
  } finally {
    await server?.kill9();
    await rm(copy, { recursive: true, force: true });
  }
}
