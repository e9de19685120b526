import type { Bench } from "./bench.ts";
import { BUCKET, inArena } from "./s3/arena.ts";
import { contest, verdict } from "./s3/contest.ts";
import { runLoad } from "./s3/load.ts";
import type { Target } from "./s3/servers.ts";
import { type Ask, ask, signedHead } from "./s3/signed.ts";
import { median } from "./statistics.ts";

const MEBIBYTE = 1024 * 1024;
const PART_BYTES = 16 * MEBIBYTE;
const PARTS = 64;
const IN_FLIGHT = 4;
const ROUNDS = 3;
const COPIES = 11;

/** A multipart upload of 1 GiB, from its first part to the answer of its completion. */
export const multipart1g: Bench = {
  name: "s3-multipart-1g",
  unit: "MiB/s",
  run: () =>
    inArena("disk", ["sluice", "minio", "versitygw"], async (servers) => {
      const scores = await contest(servers, ROUNDS, async (server) => {
        const seconds = await upload(server, "large");
        return { work: (PARTS * PART_BYTES) / MEBIBYTE, seconds };
      });
      return verdict(scores, ["minio"], 0.9, [`${PARTS} parts of 16 MiB, ${IN_FLIGHT} in flight`]);
    }),
};

async function upload(server: Target, key: string): Promise<number> {
  const begun = await ask(server, { method: "POST", bucket: BUCKET, key, query: [["uploads", ""]] });
  const uploadId = /<UploadId>([^<]+)</.exec(begun)?.[1] ?? "";
  const heads = Array.from({ length: PARTS }, (_, n) =>
    signedHead(server, {
      method: "PUT",
      bucket: BUCKET,
      key,
      bodyBytes: PART_BYTES,
      query: [
        ["partNumber", String(n + 1)],
        ["uploadId", uploadId],
      ],
    }),
  );
  const sizes = { bodyBytes: PART_BYTES, answerBytes: 0 };
  const load = { server: server.name, port: server.port, clients: IN_FLIGHT, heads, status: 200, wantEtags: true };
  const { seconds, etags } = await runLoad({ ...load, ...sizes });
  const parts = etags.map((etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  const before = performance.now();
  await ask(
    server,
    { method: "POST", bucket: BUCKET, key, query: [["uploadId", uploadId]] },
    `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
  );
  return seconds + (performance.now() - before) / 1000;
}

/** A copy of 1 GiB on the server's side. */
export const copy1g: Bench = {
  name: "s3-copy-1g",
  unit: "ms",
  run: () =>
    inArena("disk", ["sluice", "minio", "versitygw"], async (servers) => {
      const notes: string[] = [];
      let value = Number.NaN;
      for (const server of servers) {
        await upload(server, "large");
        const times: number[] = [];
        // A peer that copies the bytes is asked once.
        for (let n = 0; n < (server.name === "sluice" ? COPIES : 1); n++) times.push(await copy(server, `copy${n}`));
        const middle = median(times);
        if (server.name === "sluice") value = middle;
        notes.push(
          `${server.name.padEnd(9)} ${middle.toFixed(1)} ms (longest of ${times.length}: ${Math.max(...times).toFixed(1)})`,
        );
      }
      return { value, floor: null, ratio: null, target: "≤ 50 ms", ok: value <= 50, notes };
    }),
};

async function copy(server: Target, key: string): Promise<number> {
  const request: Ask = { method: "PUT", bucket: BUCKET, key, headers: { "x-amz-copy-source": `/${BUCKET}/large` } };
  const before = performance.now();
  await ask(server, request);
  return performance.now() - before;
}
