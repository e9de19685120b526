import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createS3Client, type S3Client } from "../src/client/s3.ts";
import type { ObjectListing } from "../src/client/s3-answers.ts";
import { newFolder, type RunningServer, startServer } from "../test/support/server.ts";
import { api, applyServices, settled } from "../test/support/workflow.ts";
import type { Bench } from "./bench.ts";
import { median } from "./statistics.ts";

const FILES = 1000;
const FILE_BYTES = 20_000;
const UPLOADERS = 8;
/** Files before the clock starts: a server runs for weeks, so that compiling its program is no part of the measure; the floor's programs are in
 *  memory from the pair before, too. */
const WARM_UP = 100;
/** Pairs of ours and floor, one after the other, as the machine's speed drifts. */
const PAIRS = 3;
const ASK_EVERY_MS = 100;
const SCRIPT = 'sha256sum "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME.sha256"\n';

/** Seconds for 1,000 files of 20 KB, each hashed by a sandboxed script: from the first PUT to the last output visible, beside the same script
 *  in the plainest sandbox there is (`floor.sh`). */
export const files1000: Bench = {
  name: "files-1000",
  unit: "s",
  async run() {
    const folder = await newFolder("files");
    try {
      const inputs = join(folder, "in");
      await mkdir(inputs);
      const bodies = new Map<string, Buffer>();
      for (let n = 0; n < FILES; n++) bodies.set(`${n}.bin`, randomBytes(FILE_BYTES));
      for (const [name, body] of bodies) await writeFile(join(inputs, name), body);
      const ours: number[] = [];
      const floors: number[] = [];
      for (let pair = 0; pair < PAIRS; pair++) {
        floors.push(await floor(inputs, join(folder, `out-${pair}`)));
        ours.push(await throughSluice(bodies));
      }
      const ratios = ours.map((value, pair) => value / (floors[pair] ?? Number.NaN));
      const ratio = median(ratios);
      const notes = [`pairs: ${ratios.map((each) => each.toFixed(2)).join(", ")} × floor`];
      return { value: median(ours), floor: median(floors), ratio, target: "≤ 1.6 × floor", ok: ratio <= 1.6, notes };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function floor(inputs: string, outputs: string): Promise<number> {
  await mkdir(outputs);
  const before = performance.now();
  execFileSync(new URL("floor.sh", import.meta.url).pathname, [inputs, outputs]);
  const seconds = (performance.now() - before) / 1000;
  const made = (await readdir(outputs)).length;
  if (made !== FILES) throw new Error(`The floor made ${made} of ${FILES} outputs`);
  return seconds;
}

async function throughSluice(bodies: ReadonlyMap<string, Buffer>): Promise<number> {
  const server = await startServer();
  const s3 = createS3Client({
    endpoint: server.s3,
    accessKey: server.admin.access_key,
    secretKey: server.admin.secret_key,
  });
  try {
    await applyServices(server, [{ name: "hash", script: SCRIPT, input: "work/in", output: "work/out" }]);
    await upload(
      s3,
      [...bodies].slice(0, WARM_UP).map(([name, body]) => [`warm-${name}`, body]),
    );
    await outputsVisible(server, s3, "out/warm-", WARM_UP);
    const before = performance.now();
    await upload(s3, [...bodies]);
    await outputsVisible(server, s3, "out/", FILES + WARM_UP);
    const seconds = (performance.now() - before) / 1000;
    const failed = (await settled(server)).filter((job) => job.state !== "SUCCEEDED");
    if (failed.length > 0) throw new Error(`${failed.length} jobs did not succeed: ${failed[0]?.message}`);
    return seconds;
  } finally {
    s3.close();
    await server.stop();
  }
}

async function upload(s3: S3Client, files: ReadonlyArray<readonly [name: string, body: Buffer]>): Promise<void> {
  const queue = files.values();
  const one = async (): Promise<void> => {
    for (const [name, body] of queue) await s3.put("work", `in/${name}`, body, body.length);
  };
  await Promise.all(Array.from({ length: UPLOADERS }, one));
}

/** Asks for one open job, and lists only at the end. Not often: what asking costs both sides is no part of the work; the wait is, at most one of them. */
async function outputsVisible(server: RunningServer, s3: S3Client, prefix: string, count: number): Promise<void> {
  for (;;) {
    const answer = await api(server, "/system/jobs?state=QUEUED,RUNNING&limit=1");
    const { jobs } = (await answer.json()) as { jobs: unknown[] };
    if (jobs.length === 0 && (await countKeys(s3, prefix)) === count) return;
    await sleep(ASK_EVERY_MS);
  }
}

async function countKeys(s3: S3Client, prefix: string): Promise<number> {
  let count = 0;
  let after: string | null = null;
  do {
    const page: ObjectListing = await s3.list("work", { prefix, limit: 1000, ...(after === null ? {} : { after }) });
    count += page.objects.length;
    after = page.next;
  } while (after !== null);
  return count;
}
