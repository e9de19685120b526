import { describe, expect, it } from "vitest";
import type { Bucket } from "../core/object.ts";
import type { CommitNotice } from "../state/state.ts";
import { BucketCache } from "./bucket-cache.ts";

const notice = (kinds: CommitNotice["kinds"]): CommitNotice => ({ lastSeq: 1, services: [], kinds });

function setUp() {
  const buckets = new Map<string, Bucket>([["b", { name: "b", owner: "o", createdAt: 0, versioning: "off" }]]);
  let asked = 0;
  let now = 0;
  let listener: (n: CommitNotice) => void = () => undefined;
  let answer = async (name: string): Promise<Bucket | null> => buckets.get(name) ?? null;
  const state = {
    bucket: (name: string) => {
      asked += 1;
      return answer(name);
    },
    subscribe: (l: (n: CommitNotice) => void) => {
      listener = l;
      return () => {
        listener = () => undefined;
      };
    },
  };
  const cache = new BucketCache(state, { now: () => now, monotonicMs: () => now });
  return {
    cache,
    buckets,
    asked: () => asked,
    pass: (ms: number) => {
      now += ms;
    },
    tell: (n: CommitNotice) => listener(n),
    answerWith: (f: typeof answer) => {
      answer = f;
    },
  };
}

describe("BucketCache", () => {
  it("asks once a second at most for a bucket that exists, and every time for one that does not", async () => {
    const { cache, asked, pass } = setUp();
    expect((await cache.get("b"))?.owner).toBe("o");
    await cache.get("b");
    expect(asked()).toBe(1);
    pass(1000);
    await cache.get("b");
    expect(asked()).toBe(2);
    expect(await cache.get("none")).toBeNull();
    await cache.get("none");
    expect(asked()).toBe(4);
  });

  it("forgets when buckets change, and not when objects do", async () => {
    const { cache, buckets, asked, tell } = setUp();
    await cache.get("b");
    tell(notice(["object.created"]));
    await cache.get("b");
    expect(asked()).toBe(1);
    buckets.set("b", { name: "b", owner: "o", createdAt: 0, versioning: "enabled" });
    tell(notice(["bucket.updated"]));
    expect((await cache.get("b"))?.versioning).toBe("enabled");
    buckets.delete("b");
    tell(notice(["bucket.removed"]));
    expect(await cache.get("b")).toBeNull();
  });

  it("does not keep an answer that was on its way when buckets changed", async () => {
    const { cache, buckets, tell, answerWith } = setUp();
    let deliver: (bucket: Bucket | null) => void = () => undefined;
    answerWith(() => new Promise((resolve) => (deliver = resolve)));
    const early = cache.get("b");
    tell(notice(["bucket.removed"]));
    deliver(buckets.get("b") ?? null);
    await early;
    answerWith(async () => null);
    expect(await cache.get("b")).toBeNull();
  });
});
