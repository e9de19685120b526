import { addResources, type Resources, subtractResources } from "../../core/resources.ts";
import type { JobHead } from "../../state/state.ts";
import { compareHeads, type FreeWorker, type Plan, type QueueView } from "../scheduler.ts";

/** A deterministic stream of numbers in [0, 1), so that a failing random view can be made again from its seed.
 *  @see Tommy Ettinger's mulberry32 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function head(service: string, seq: number, need: Resources, priority = 0): JobHead {
  const jobId = `${service}-${seq}`;
  return {
    jobId,
    service,
    revisionId: "rev",
    owner: "someone",
    priority,
    seq,
    createdAt: seq,
    inputBytes: 0,
    need,
  };
}

export function queue(service: string, heads: readonly JobHead[], rest: Partial<QueueView> = {}): QueueView {
  return { service, heads: heads.toSorted(compareHeads), concurrency: null, active: 0, overtaken: null, ...rest };
}

/** A worker that is free but for `used` and `usedSlots`. */
export function worker(
  name: string,
  capacity: Resources,
  slots: number | null = null,
  used: Resources = {},
  usedSlots = 0,
): FreeWorker {
  return {
    name,
    capacity,
    free: subtractResources(capacity, used),
    slots,
    freeSlots: slots === null ? null : slots - usedSlots,
  };
}

/** The workers after a plan was committed: what each placement takes is gone. */
export function afterPlan(workers: readonly FreeWorker[], plan: Plan): FreeWorker[] {
  return workers.map((each) => {
    const mine = plan.placements.filter((placement) => placement.worker === each.name);
    const taken = mine.reduce<Resources>((sum, { head: placed }) => addResources(sum, placed.need), {});
    return {
      ...each,
      free: subtractResources(each.free, taken),
      freeSlots: each.freeSlots === null ? null : each.freeSlots - mine.length,
    };
  });
}

/** A random cluster: up to 4 workers, some partly used, and up to 6 queues of up to 12 jobs with few different needs. */
export function randomView(random: () => number): { queues: QueueView[]; workers: FreeWorker[] } {
  const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
  const needs = Array.from({ length: 4 }, (): Resources => ({ cpu: upTo(10) * 100, memory: upTo(6) }));
  const workers = Array.from({ length: upTo(4) }, (_, at) => {
    const capacity = { cpu: 500 + upTo(15) * 100, memory: 1 + upTo(7) };
    const used = { cpu: upTo(capacity.cpu / 100) * 100, memory: upTo(capacity.memory) };
    const slots = random() < 0.5 ? null : upTo(4);
    return worker(`w${at}`, capacity, slots, used, slots === null ? 0 : upTo(slots));
  });
  let seq = 0;
  const queues = Array.from({ length: upTo(6) }, (_, at) => {
    const heads = Array.from({ length: upTo(12) }, () => {
      seq += 1;
      return head(`s${at}`, (seq * 7919) % 1009, needs[upTo(3)] ?? {}, upTo(2));
    });
    const concurrency = random() < 0.5 ? null : upTo(5);
    const times = random() < 0.3 ? 100 : upTo(3);
    const first = heads.toSorted(compareHeads)[0];
    return queue(`s${at}`, heads, {
      concurrency,
      active: upTo(3),
      overtaken: first === undefined ? null : { jobId: first.jobId, times },
    });
  });
  return { queues, workers };
}
