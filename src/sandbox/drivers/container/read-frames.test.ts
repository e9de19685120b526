import fc from "fast-check";
import { expect, test } from "vitest";
import { readFrames } from "./read-frames.ts";

type Written = readonly [stream: "out" | "err", text: string];

function frames(written: readonly Written[]): Buffer {
  return Buffer.concat(
    written.map(([stream, text]) => {
      const head = Buffer.from([stream === "out" ? 1 : 2, 0, 0, 0, 0, 0, 0, 0]);
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    }),
  );
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function read(source: AsyncIterable<Uint8Array>): Promise<Record<"out" | "err", string>> {
  const said = { out: "", err: "" };
  for await (const { stream, bytes } of readFrames(source)) said[stream] += bytes.toString("latin1");
  return said;
}

const written = fc.array(
  fc.tuple(fc.constantFrom("out" as const, "err" as const), fc.string({ unit: "binary-ascii", maxLength: 40 })),
);
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });

test("every byte comes, in its stream and order, however the frames are cut", async () => {
  await fc.assert(
    fc.asyncProperty(written, sizes, async (all, cuts) => {
      const of = (wanted: string): string =>
        all.flatMap(([stream, text]) => (stream === wanted ? [text] : [])).join("");
      expect(await read(inPieces(frames(all), cuts))).toEqual({ out: of("out"), err: of("err") });
    }),
  );
});

test("an end in the middle is an error", async () => {
  const whole = frames([["out", "text"]]);
  for (const length of [3, 8, 10]) {
    await expect(read(inPieces(whole.subarray(0, length), [64]))).rejects.toMatchObject({
      code: "SANDBOX_UNAVAILABLE",
    });
  }
});
