import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BlobHash } from "../blob-hash.ts";
import { lendMemory } from "../body-memory.ts";
import { BodyHash } from "./body-hash.ts";
import { HashThread } from "./hash-thread.ts";

const MIB = 1024 ** 2;

let thread: HashThread;
beforeEach(() => {
  thread = new HashThread();
});
afterEach(() => thread.close());

/** Pieces of odd sizes, the same at each call. */
function* pieces(bytes: number, seed = 1): Generator<Uint8Array> {
  let [left, state] = [bytes, seed];
  while (left > 0) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const piece = new Uint8Array(Math.min(left, 1 + (state % 100_000)));
    for (let at = 0; at < piece.length; at += 97) piece[at] = state + at;
    left -= piece.length;
    yield piece;
  }
}

function expected(bytes: number, startsAt = 0, seed = 1) {
  const hash = new BlobHash(startsAt);
  for (const piece of pieces(bytes, seed)) hash.update(piece);
  return hash.facts("b");
}

async function hashed(bytes: number, startsAt = 0, seed = 1) {
  const hash = new BodyHash(thread, bytes, startsAt);
  for (const piece of pieces(bytes, seed)) {
    if (seed % 2 === 0) lendMemory(piece, 1);
    hash.arrived(piece);
    await hash.written([piece]);
  }
  expect(hash.sizeBytes).toBe(bytes);
  return await hash.facts("b");
}

describe("the hash of a body", () => {
  it.each([
    ["here", 3 * MIB + 5, 0],
    ["in the thread", 5 * MIB + 7, 0],
    ["in the thread, from the middle of a block", 6 * MIB, 3 * MIB + 11],
  ])("is the same %s", async (_, bytes, startsAt) => {
    for (const seed of [1, 2]) expect(await hashed(bytes, startsAt, seed)).toEqual(expected(bytes, startsAt, seed));
  });

  it("is that of its own bytes, many bodies side by side", async () => {
    const seeds = Array.from({ length: 12 }, (_, n) => n + 1);
    const all = await Promise.all(seeds.map((seed) => hashed(5 * MIB + seed, seed, seed)));
    expect(all).toEqual(seeds.map((seed) => expected(5 * MIB + seed, seed, seed)));
  });

  it("takes memory that was lent whole, and copies what somebody else has a part of", async () => {
    const hash = new BodyHash(thread, 8 * MIB);
    const [whole, shared] = [new Uint8Array(64 * 1024).fill(1), new Uint8Array(64 * 1024).fill(2)];
    lendMemory(whole, 1);
    lendMemory(shared, 2);
    await hash.written([whole, shared]);
    expect(whole.length).toBe(0);
    expect(shared.length).toBe(64 * 1024);
    const local = new BlobHash();
    local.update(new Uint8Array(64 * 1024).fill(1));
    local.update(new Uint8Array(64 * 1024).fill(2));
    expect(await hash.facts("b")).toEqual(local.facts("b"));
  });

  it("makes a sender wait that is faster than the thread", async () => {
    const hash = new BodyHash(thread, 64 * MIB);
    let waits = 0;
    for (let n = 0; n < 64; n++) {
      const wait = hash.written([new Uint8Array(MIB)]);
      if (wait === undefined) continue;
      waits += 1;
      await wait;
    }
    expect(waits).toBeGreaterThan(0);
    hash.drop();
  });

  it("fails with the thread, and never hangs", async () => {
    const hash = new BodyHash(thread, 8 * MIB);
    hash.written([new Uint8Array(MIB)]);
    const failed = expect(hash.facts("b")).rejects.toMatchObject({ code: "STOPPING" });
    await thread.close();
    await failed;
    expect(() => new BodyHash(thread, 8 * MIB).written([new Uint8Array(1)])).toThrow("stopping");
  });
});
