import type { Bench, BenchResult } from "./bench.ts";
import { BUCKET, inArena, type Place } from "./s3/arena.ts";
import { bodyOf, sha256 } from "./s3/body.ts";
import { contest, verdict } from "./s3/contest.ts";
import { traced } from "./s3/durability.ts";
import { type Load, runLoad } from "./s3/load.ts";
import type { Contender } from "./s3/servers.ts";
import { type Ask, signedHead } from "./s3/signed.ts";

const ALL = ["sluice", "minio", "versitygw"] as const;
const SMALL_BYTES = 4096;
const LARGE_BYTES = 64 * 1024 * 1024;

/** How requests of one size are made. */
interface Shape {
  readonly bytes: number;
  readonly clients: number;
  readonly requests: number;
  /** Objects that reads go round. */
  readonly objects: number;
  readonly rounds: number;
  /** Small bodies are sent as most clients send them, with their hash; of large ones the bytes are measured, not SHA-256. */
  readonly hashed: boolean;
}

const SMALL: Shape = { bytes: SMALL_BYTES, clients: 32, requests: 6000, objects: 2000, rounds: 5, hashed: true };
const LARGE: Shape = { bytes: LARGE_BYTES, clients: 4, requests: 12, objects: 4, rounds: 5, hashed: false };

type Kind = "PUT" | "GET" | "HEAD";

export const put4k = bench("s3-put-4k", "PUT", SMALL, "disk");
export const put4kTmpfs = bench("s3-put-4k-tmpfs", "PUT", SMALL, "tmpfs");
export const get4k = bench("s3-get-4k", "GET", SMALL, "disk");
export const get4kTmpfs = bench("s3-get-4k-tmpfs", "GET", SMALL, "tmpfs");
export const head4k = bench("s3-head", "HEAD", SMALL, "disk");
export const head4kTmpfs = bench("s3-head-tmpfs", "HEAD", SMALL, "tmpfs");
export const put64m = bench("s3-put-64m", "PUT", LARGE, "disk");
export const get64m = bench("s3-get-64m", "GET", LARGE, "disk");

/** Requests a second of one kind. On disk MinIO is the measure, on tmpfs, where no disk hides a server's own work, the faster peer. */
function bench(name: string, kind: Kind, shape: Shape, place: Place): Bench {
  const run = (): Promise<BenchResult> =>
    inArena(place, ALL, async (servers) => {
      const notes: string[] = [];
      for (const server of servers) {
        await runLoad(puts(server, shape, "o", shape.objects));
        if (kind === "PUT") notes.push(await traced(server, () => runLoad(puts(server, shape, "traced", 1))));
      }
      const scores = await contest(servers, shape.rounds, async (server, round) => {
        const load = kind === "PUT" ? puts(server, shape, `${round}-`, shape.requests) : reads(server, shape, kind);
        const { seconds } = await runLoad(load);
        return { work: load.heads.length, seconds };
      });
      if (place === "tmpfs") return verdict(scores, ["minio", "versitygw"], 0.8, notes);
      return verdict(scores, ["minio"], shape === SMALL ? 1 : 0.9, notes);
    });
  return { name, unit: "requests/s", run };
}

function puts(server: Contender, shape: Shape, prefix: string, count: number): Load {
  const payloadHash = shape.hashed ? sha256(bodyOf(shape.bytes)) : "UNSIGNED-PAYLOAD";
  const common = { method: "PUT", bucket: BUCKET, bodyBytes: shape.bytes, payloadHash } as const;
  const asks = Array.from({ length: count }, (_, n): Ask => ({ ...common, key: `${prefix}${n}` }));
  return load(server, shape, asks, { bodyBytes: shape.bytes, answerBytes: 0 });
}

function reads(server: Contender, shape: Shape, method: "GET" | "HEAD"): Load {
  const asks = Array.from({ length: shape.requests }, (_, n): Ask => {
    return { method, bucket: BUCKET, key: `o${n % shape.objects}` };
  });
  return load(server, shape, asks, { bodyBytes: null, answerBytes: method === "GET" ? shape.bytes : 0 });
}

function load(
  server: Contender,
  { clients }: Shape,
  asks: readonly Ask[],
  sizes: Pick<Load, "bodyBytes" | "answerBytes">,
): Load {
  const heads = asks.map((each) => signedHead(server, each));
  return { server: server.name, port: server.port, clients, heads, status: 200, ...sizes };
}
