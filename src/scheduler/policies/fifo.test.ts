import { describe, expect, it } from "vitest";
import { openPolicy } from "../open.ts";
import { compareHeads, type FreeWorker, type Plan, type QueueView } from "../scheduler.ts";
import { afterPlan, head, queue, randomView, seededRandom, worker } from "../testing/views.ts";
import { fifoPolicy, MAX_OVERTAKES } from "./fifo.ts";

const policy = openPolicy("fifo");
const placed = (plan: Plan): string[] => plan.placements.map(({ head: { jobId }, worker: at }) => `${jobId}@${at}`);
const CPU = { cpu: 1000 };

describe("fifo", () => {
  it("starts jobs of all services by priority, then by age", () => {
    const queues = [
      queue("a", [head("a", 1, CPU), head("a", 3, CPU)]),
      queue("b", [head("b", 2, CPU), head("b", 9, CPU, 1)]),
    ];
    expect(placed(policy.pick(queues, [worker("w", { cpu: 3000 })]))).toEqual(["b-9@w", "a-1@w", "b-2@w"]);
  });

  it("packs several workers, first that fits", () => {
    const queues = [queue("a", [head("a", 1, { cpu: 3 }), head("a", 2, { cpu: 2 }), head("a", 3, { cpu: 1 })])];
    expect(placed(policy.pick(queues, [worker("v", { cpu: 4 }), worker("w", { cpu: 4 })]))).toEqual([
      "a-1@v",
      "a-2@w",
      "a-3@v",
    ]);
  });

  it("keeps to a service's concurrency and lets the others go on", () => {
    const queues = [
      queue("a", [head("a", 1, CPU), head("a", 2, CPU), head("a", 3, CPU)], { concurrency: 4, active: 2 }),
      queue("b", [head("b", 4, CPU)]),
    ];
    const plan = policy.pick(queues, [worker("w", { cpu: 9000 })]);
    expect(placed(plan)).toEqual(["a-1@w", "a-2@w", "b-4@w"]);
    expect(plan.waiting).toEqual([
      { service: "a", jobId: "a-3", because: "concurrency", lacking: [], running: 4, limit: 4, overtaken: 0 },
    ]);
  });

  it("starts nothing of a service with more active attempts than it may have", () => {
    const plan = policy.pick([queue("a", [head("a", 1, CPU)], { concurrency: 1, active: 3 })], [worker("w", CPU)]);
    expect(plan.placements).toEqual([]);
    expect(plan.waiting).toMatchObject([{ because: "concurrency", running: 3, limit: 1 }]);
  });

  it("lets smaller jobs go ahead of one that finds no room, and counts them", () => {
    const queues = [queue("big", [head("big", 1, { cpu: 4 })]), queue("small", [head("small", 2, { cpu: 1 })])];
    const plan = policy.pick(queues, [worker("w", { cpu: 4 }, null, { cpu: 2 })]);
    expect(placed(plan)).toEqual(["small-2@w"]);
    expect(plan.waiting).toEqual([
      {
        service: "big",
        jobId: "big-1",
        because: "capacity",
        lacking: [{ name: "cpu", need: 4, free: 1 }],
        running: 0,
        limit: null,
        overtaken: 1,
      },
    ]);
  });

  it("keeps a worker for a job that was overtaken often enough", () => {
    const queues = [
      queue("big", [head("big", 1, { cpu: 4 })], { overtaken: { jobId: "big-1", times: MAX_OVERTAKES } }),
      queue("small", [head("small", 2, { cpu: 1 }), head("small", 3, { cpu: 1 })]),
    ];
    const plan = policy.pick(queues, [worker("v", { cpu: 4 }, null, { cpu: 2 }), worker("w", { cpu: 1 })]);
    expect(placed(plan)).toEqual(["small-2@w"]);
    expect(plan.waiting.map(({ jobId, because }) => [jobId, because])).toEqual([
      ["big-1", "capacity"],
      ["small-3", "reserved"],
    ]);
  });

  it("does not keep a worker for a count that belongs to a job before", () => {
    const queues = [
      queue("big", [head("big", 2, { cpu: 4 })], { overtaken: { jobId: "big-1", times: 999 } }),
      queue("small", [head("small", 3, { cpu: 1 })]),
    ];
    expect(placed(policy.pick(queues, [worker("w", { cpu: 4 }, null, { cpu: 1 })]))).toEqual(["small-3@w"]);
  });

  it("tells a job that no worker can hold, and holds nothing up for it", () => {
    const heads = [
      head("a", 1, { cpu: 9 }),
      head("a", 2, { cpu: 9 }),
      head("a", 3, { cpu: 2 }),
      head("a", 4, { cpu: 3 }),
    ];
    const plan = policy.pick(
      [queue("a", heads, { overtaken: { jobId: "a-1", times: 999 } })],
      [worker("w", { cpu: 4 })],
    );
    expect(placed(plan)).toEqual(["a-3@w"]);
    expect(plan.waiting.map(({ jobId, because, lacking }) => ({ jobId, because, lacking }))).toEqual([
      { jobId: "a-1", because: "too_large", lacking: [{ name: "cpu", need: 9, free: 4 }] },
      { jobId: "a-4", because: "capacity", lacking: [{ name: "cpu", need: 3, free: 2 }] },
    ]);
  });

  it("says that slots are short, and that no worker is there", () => {
    const queues = [queue("a", [head("a", 1, CPU)])];
    expect(policy.pick(queues, [worker("w", { cpu: 9000 }, 2, {}, 2)]).waiting).toMatchObject([{ because: "slots" }]);
    expect(policy.pick(queues, []).waiting).toMatchObject([{ because: "no_worker" }]);
    expect(policy.pick([], [])).toEqual({ placements: [], waiting: [] });
  });

  it("says of every queue that slots are short once the last one is taken", () => {
    const queues = [
      queue("a", [head("a", 1, CPU), head("a", 2, CPU)]),
      queue("b", [head("b", 3, CPU)], { concurrency: 1, active: 1 }),
      queue("huge", [head("huge", 4, { cpu: 1e9 })]),
    ];
    const plan = policy.pick(queues, [worker("w", { cpu: 9000 }, 1)]);
    expect(placed(plan)).toEqual(["a-1@w"]);
    expect(plan.waiting.map(({ jobId, because }) => `${jobId} ${because}`).toSorted()).toEqual([
      "a-2 slots",
      "b-3 concurrency",
      "huge-4 slots",
    ]);
  });

  it("ends a big job's wait under an endless stream of small ones", () => {
    expect(startsBeforeBig(fifoPolicy(5))).toBeLessThanOrEqual(5 + 4);
    expect(startsBeforeBig(fifoPolicy(Number.POSITIVE_INFINITY))).toBe(1000);
  });
});

/** One worker of 4 that always runs small jobs of 1; every step the oldest ends and two more arrive. Returns how many starts a job of 4 sees before its own. */
function startsBeforeBig(under: { pick: typeof policy.pick }): number {
  const big = head("big", 1, { cpu: 4 });
  let [running, seq, starts] = [3, 1, 0];
  let times = 0;
  while (starts < 1000) {
    const small = [head("small", seq + 1, { cpu: 1 }), head("small", seq + 2, { cpu: 1 })];
    seq += 2;
    const queues = [queue("big", [big], { overtaken: { jobId: big.jobId, times } }), queue("small", small)];
    const plan = under.pick(queues, [worker("w", { cpu: 4 }, null, { cpu: running })]);
    if (plan.placements.some((placement) => placement.head === big)) return starts;
    starts += plan.placements.length;
    times += plan.waiting.find((each) => each.service === "big")?.overtaken ?? 0;
    running = Math.max(0, running + plan.placements.length - 1);
  }
  return starts;
}

describe("fifo on random views", () => {
  const SEEDS = Array.from({ length: 500 }, (_, seed) => seed);
  const each = (
    check: (view: { queues: QueueView[]; workers: FreeWorker[] }, plan: Plan, seed: number) => void,
  ): void => {
    for (const seed of SEEDS) {
      const view = randomView(seededRandom(seed));
      check(view, policy.pick(view.queues, view.workers), seed);
    }
  };

  it("never exceeds a worker's resources or slots", () => {
    each(({ workers }, plan, seed) => {
      for (const after of afterPlan(workers, plan)) {
        const least = Math.min(0, ...Object.values(after.free), after.freeSlots ?? 0);
        expect(least, `seed ${seed}, ${after.name}`).toBe(0);
      }
    });
  });

  it("never exceeds a service's concurrency, and places no job twice", () => {
    each(({ queues }, plan, seed) => {
      const ids = plan.placements.map((placement) => placement.head.jobId);
      expect(new Set(ids).size, `seed ${seed}`).toBe(ids.length);
      for (const { service, concurrency, active } of queues) {
        const mine = plan.placements.filter((placement) => placement.head.service === service).length;
        if (mine > 0 && concurrency !== null) expect(active + mine, `seed ${seed}`).toBeLessThanOrEqual(concurrency);
      }
    });
  });

  it("keeps the order of equal needs within a service", () => {
    each(({ queues }, plan, seed) => {
      const started = new Set(plan.placements.map((placement) => placement.head));
      for (const { heads } of queues) {
        for (const late of heads.filter((one) => started.has(one))) {
          const passed = heads.find(
            (one) => !started.has(one) && compareHeads(one, late) < 0 && one.need === late.need,
          );
          expect(passed, `seed ${seed}`).toBeUndefined();
        }
      }
    });
  });

  it("says why every queue with jobs left over waits", () => {
    each(({ queues }, plan, seed) => {
      for (const { service, heads } of queues) {
        const mine = plan.placements.filter((placement) => placement.head.service === service).length;
        const said = plan.waiting.filter((one) => one.service === service).length;
        if (mine === heads.length) expect(said, `seed ${seed}`).toBe(0);
        else expect([1, 2], `seed ${seed}`).toContain(said);
      }
    });
  });

  it("leaves nothing that still fits, unless a worker is kept for somebody", () => {
    each(({ queues, workers }, plan, seed) => {
      if (queues.some(({ overtaken }) => (overtaken?.times ?? 0) >= MAX_OVERTAKES)) return;
      const again = queues.map((one) => {
        const mine = plan.placements.filter((placement) => placement.head.service === one.service);
        const heads = one.heads.filter((each) => !mine.some((placement) => placement.head === each));
        return { ...one, heads, active: one.active + mine.length };
      });
      expect(policy.pick(again, afterPlan(workers, plan)).placements, `seed ${seed}`).toEqual([]);
    });
  });

  it("gives the same plan for the same view, and leaves the view alone", () => {
    each((view, plan, seed) => {
      const before = structuredClone(view);
      expect(policy.pick(view.queues, view.workers), `seed ${seed}`).toEqual(plan);
      expect(view, `seed ${seed}`).toEqual(before);
    });
  });
});
