import { MEGABYTE, residentBytes } from "../test/support/process-memory.ts";
import type { RunningServer } from "../test/support/server.ts";
import type { Bench, BenchResult } from "./bench.ts";
import { FEW_BUCKET, KEYS_BUCKET, MILLION, PREFIXES_BUCKET, withMillions } from "./s3/million.ts";
import type { Target } from "./s3/servers.ts";
import { ask } from "./s3/signed.ts";
import { percentile } from "./statistics.ts";

const PAGE = 1000;
const MOST_MS = 30;
const LISTINGS = 10;
const MOST_GROWTH_MB = 20;
const MOST_RESIDENT_MB = 300;
const DEPTHS = 10;

interface Measured {
  /** Milliseconds of each page in order. */
  readonly keys: readonly number[];
  readonly prefixes: readonly number[];
  readonly afterFew: number;
  readonly afterListings: number;
  readonly peak: number;
}

let measured: Promise<Measured> | null = null;

/** One store of two million rows serves all benchmarks of listings. */
function measure(): Promise<Measured> {
  measured ??= withMillions(run);
  return measured;
}

async function run(server: RunningServer): Promise<Measured> {
  const { access_key, secret_key } = server.admin;
  const target: Target = {
    name: "sluice",
    port: Number(new URL(server.s3).port),
    credentials: { accessKeyId: access_key, secretKey: secret_key },
  };
  for (let listing = 0; listing < LISTINGS; listing++) await listAll(target, FEW_BUCKET, false);
  const afterFew = await residentBytes(server.pid, "VmRSS");
  const prefixes = await listAll(target, PREFIXES_BUCKET, true);
  const keys = await listAll(target, KEYS_BUCKET, false);
  for (let listing = 2; listing < LISTINGS; listing++) await listAll(target, KEYS_BUCKET, false);
  const afterListings = await residentBytes(server.pid, "VmRSS");
  return { keys, prefixes, afterFew, afterListings, peak: await residentBytes(server.pid, "VmHWM") };
}

/** Asks for page after page as a client does. */
async function listAll(target: Target, bucket: string, folded: boolean): Promise<number[]> {
  const times: number[] = [];
  let token: string | undefined;
  do {
    const before = performance.now();
    const page = await ask(target, {
      method: "GET",
      bucket,
      query: [
        ["list-type", "2"],
        ["prefix", "data/"],
        ["max-keys", String(PAGE)],
        ...(folded ? [["delimiter", "/"] as const] : []),
        ...(token === undefined ? [] : [["continuation-token", token] as const]),
      ],
    });
    times.push(performance.now() - before);
    token = /<NextContinuationToken>([^<]+)</.exec(page)?.[1];
  } while (token !== undefined);
  return times;
}

/** The p50 of the slowest tenth of the way through. */
function pages(name: string, choose: (of: Measured) => readonly number[]): Bench {
  return {
    name,
    unit: "ms",
    run: async () => {
      const times = choose(await measure());
      if (times.length !== MILLION / PAGE) throw new Error(`The listing had ${times.length} pages`);
      const step = times.length / DEPTHS;
      const depths = Array.from({ length: DEPTHS }, (_, n) => percentile(times.slice(n * step, (n + 1) * step), 0.5));
      const value = Math.max(...depths);
      return {
        value,
        floor: null,
        ratio: null,
        target: `≤ ${MOST_MS} ms p50 at any depth`,
        ok: value <= MOST_MS,
        notes: [
          `p50 by depth: ${depths.map((each) => each.toFixed(1)).join(" ")}`,
          `p99 of all pages: ${percentile(times, 0.99).toFixed(1)}`,
        ],
      };
    },
  };
}

export const list1m = pages("s3-list-1m", ({ keys }) => keys);
export const listPrefixes1m = pages("s3-list-prefixes-1m", ({ prefixes }) => prefixes);

/** What ten full listings of 1,000,000 keys leave behind more than ten of 10,000 keys do. */
export const memory: Bench = {
  name: "s3-memory",
  unit: "MB",
  run: async (): Promise<BenchResult> => {
    const { afterFew, afterListings, peak } = await measure();
    const value = (afterListings - afterFew) / MEGABYTE;
    const most = peak / MEGABYTE;
    return {
      value,
      floor: null,
      ratio: null,
      target: `≤ ${MOST_GROWTH_MB} MB more than after 10,000 keys, VmHWM ≤ ${MOST_RESIDENT_MB} MB`,
      ok: value <= MOST_GROWTH_MB && most <= MOST_RESIDENT_MB,
      notes: [
        `resident after ${LISTINGS} listings of 10,000 keys ${(afterFew / MEGABYTE).toFixed(0)} MB, after ${LISTINGS} listings of a million ` +
          `${(afterListings / MEGABYTE).toFixed(0)} MB; VmHWM ${most.toFixed(0)} MB`,
      ],
    };
  },
};
