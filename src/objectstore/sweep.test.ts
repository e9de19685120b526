import { describe, expect, it } from "vitest";
import { silentLog } from "../lib/log.ts";
import { Sweep } from "./sweep.ts";

function setUp(options: { garbage?: string[]; files?: string[]; named?: string[]; unclean?: boolean } = {}) {
  const garbage = new Set(options.garbage);
  const files = new Set(options.files);
  const named = new Set(options.named);
  const steps: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  let failures = 0;
  const sweep = new Sweep({
    state: {
      garbageBlobs: async (limit) => [...garbage].slice(0, limit),
      forgetBlobs: async (ids) => {
        steps.push(`forget ${ids.join()}`);
        for (const id of ids) garbage.delete(id);
      },
      unknownBlobs: async (ids) => ids.filter((id) => !named.has(id)),
    },
    blobs: {
      discard: async (ids) => {
        await gate;
        if (failures-- > 0) throw new Error("EIO");
        steps.push(`unlink ${ids.join()}`);
        for (const id of ids) files.delete(id);
      },
      async *list() {
        yield [...files];
      },
      settle: async (unknownOf) => void steps.push(`settle but ${(await unknownOf(["own", "a"])).join()}`),
    },
    unclean: options.unclean ?? false,
    log: silentLog,
  });
  return {
    sweep,
    garbage,
    files,
    steps,
    fail: (times: number) => {
      failures = times;
    },
    close: (): (() => void) => {
      let open: () => void = () => undefined;
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return open;
    },
  };
}

describe("Sweep", () => {
  it("unlinks before it forgets, until no garbage is left", async () => {
    const many = Array.from({ length: 1200 }, (_, i) => `g${i}`);
    const { sweep, garbage, files, steps } = setUp({ garbage: many, files: [...many, "kept"] });
    await sweep.run();
    expect(garbage.size).toBe(0);
    expect([...files]).toEqual(["kept"]);
    expect(steps.map((step) => step.split(" ")[0])).toEqual([
      "settle",
      "unlink",
      "forget",
      "unlink",
      "forget",
      "unlink",
      "forget",
    ]);
  });

  it("walks the folders after an unclean end only, once, and keeps what a row names", async () => {
    const clean = setUp({ files: ["a"] });
    await clean.sweep.run();
    expect(clean.files.size).toBe(1);
    const unclean = setUp({ files: ["a", "b"], named: ["a"], unclean: true });
    await unclean.sweep.run();
    expect([...unclean.files]).toEqual(["a"]);
    unclean.files.add("c");
    await unclean.sweep.run();
    expect([...unclean.files]).toEqual(["a", "c"]);
  });

  it("tells which staged blobs have a row by now", async () => {
    const { sweep, steps } = setUp({ named: ["a"] });
    await sweep.run();
    expect(steps).toEqual(["settle but own"]);
  });

  it("tries again after a failure", async () => {
    const { sweep, garbage, fail } = setUp({ garbage: ["a"] });
    fail(1);
    await sweep.run();
    expect(garbage.size).toBe(1);
    await sweep.run();
    expect(garbage.size).toBe(0);
  });

  it("removes nothing while it is held, and hold waits for what is being removed", async () => {
    const { sweep, garbage, steps, close } = setUp({ garbage: ["a"] });
    const open = close();
    const running = sweep.run();
    await new Promise((resolve) => setTimeout(resolve, 20));
    let held = false;
    const hold = sweep.hold().then(() => {
      held = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(held).toBe(false);
    open();
    await Promise.all([running, hold]);
    expect(steps.slice(1)).toEqual(["unlink a", "forget a"]);
    garbage.add("b");
    await sweep.hold();
    await sweep.run();
    sweep.release();
    await sweep.run();
    expect(garbage.has("b")).toBe(true);
    sweep.release();
    await sweep.run();
    expect(garbage.has("b")).toBe(false);
  });

  it("does nothing more once closed", async () => {
    const { sweep, garbage } = setUp({ garbage: ["a"] });
    await sweep.close();
    await sweep.run();
    expect(garbage.size).toBe(1);
  });
});
