import { parseArgs } from "node:util";
import type { Bench, BenchResult } from "./bench.ts";

/** Every benchmark by its name; a file is loaded when its benchmark runs. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  "files-1000": async () => (await import("./files-1000.ts")).files1000,
  "put-to-start-p50": async () => (await import("./put-to-start.ts")).putToStartP50,
  "put-to-start-p99": async () => (await import("./put-to-start.ts")).putToStartP99,
  enqueue: async () => (await import("./enqueue.ts")).enqueue,
  ready: async () => (await import("./ready.ts")).ready,
  "rss-idle": async () => (await import("./rss.ts")).rssIdle,
  "rss-100k-queued": async () => (await import("./rss.ts")).rss100kQueued,
  "rss-2gib": async () => (await import("./rss.ts")).rss2gib,
  "sandbox-spawn": async () => (await import("./sandbox-spawn.ts")).sandboxSpawn,
  "image-start": async () => (await import("./image-start.ts")).imageStart,
  "image-start-podman": async () => (await import("./image-start.ts")).imageStartPodman,
  "image-rate": async () => (await import("./image-start.ts")).imageRate,
  "image-unpack": async () => (await import("./image-unpack.ts")).imageUnpack,
  "s3-put-4k": async () => (await import("./s3.ts")).put4k,
  "s3-put-4k-tmpfs": async () => (await import("./s3.ts")).put4kTmpfs,
  "s3-get-4k": async () => (await import("./s3.ts")).get4k,
  "s3-get-4k-tmpfs": async () => (await import("./s3.ts")).get4kTmpfs,
  "s3-head": async () => (await import("./s3.ts")).head4k,
  "s3-head-tmpfs": async () => (await import("./s3.ts")).head4kTmpfs,
  "s3-put-64m": async () => (await import("./s3.ts")).put64m,
  "s3-get-64m": async () => (await import("./s3.ts")).get64m,
  "s3-multipart-1g": async () => (await import("./s3-large.ts")).multipart1g,
  "s3-copy-1g": async () => (await import("./s3-large.ts")).copy1g,
  "s3-list-1m": async () => (await import("./s3-listing.ts")).list1m,
  "s3-list-prefixes-1m": async () => (await import("./s3-listing.ts")).listPrefixes1m,
  "s3-memory": async () => (await import("./s3-listing.ts")).memory,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  process.stderr.write(`bench: no benchmark "${unknown.join('", "')}": there are ${Object.keys(BENCHES).join(", ")}\n`);
  process.exit(2);
}

const rows: Array<{ name: string; unit: string } & Omit<BenchResult, "notes">> = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
  const bench = await BENCHES[name]?.();
  if (!bench) continue;
  const { notes, ...result } = await bench.run();
  rows.push({ name, unit: bench.unit, ...result });
  if (!values.json) print(name, bench.unit, result, notes);
}
if (values.json) process.stdout.write(`${JSON.stringify({ benches: rows })}\n`);

function print(name: string, unit: string, result: Omit<BenchResult, "notes">, notes: readonly string[]): void {
  const number = (value: number | null): string =>
    value === null ? "-" : value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
  const ratio = result.ratio === null ? "" : `  ${result.ratio.toFixed(2)} × floor ${number(result.floor)} ${unit}`;
  process.stdout.write(
    `${result.ok ? "ok  " : "MISS"} ${name.padEnd(18)} ${number(result.value)} ${unit}${ratio}  (target ${result.target})\n`,
  );
  for (const note of notes) process.stdout.write(`       ${note}\n`);
}
