import { fits, lacking, type Resources, subtractResources } from "../core/resources.ts";
import type { FreeWorker, Shortage, Waiting } from "./scheduler.ts";

interface Space {
  readonly worker: FreeWorker;
  free: Resources;
  freeSlots: number;
  /** Kept for a job that has waited too long: it takes nobody else until that job fits. */
  held: boolean;
}

/** Why a need found no place. */
export interface Refusal {
  readonly because: Exclude<Waiting["because"], "concurrency">;
  readonly lacking: readonly Shortage[];
}

/** The workers' free capacity while one plan is made. A worker with no slots at all counts as absent. */
export class ClusterSpace {
  readonly #spaces: readonly Space[];
  #slots: number;

  constructor(workers: readonly FreeWorker[]) {
    this.#spaces = workers
      .filter((worker) => worker.slots !== 0)
      .map((worker) => ({
        worker,
        free: worker.free,
        freeSlots: worker.freeSlots ?? Number.POSITIVE_INFINITY,
        held: false,
      }));
    this.#slots = this.#spaces.reduce((sum, { freeSlots }) => sum + freeSlots, 0);
  }

  /** True when no worker has a slot left: nothing can be placed, whatever it needs. */
  get full(): boolean {
    return this.#spaces.length > 0 && this.#slots === 0;
  }

  /** Takes the need from the first worker that has room, in the order of the list, and names it. */
  take(need: Resources): { readonly worker: string } | Refusal {
    const space = this.#spaces.find((each) => !each.held && each.freeSlots > 0 && fits(need, each.free));
    if (space === undefined) return this.#refusal(need);
    space.free = subtractResources(space.free, need);
    space.freeSlots -= 1;
    this.#slots -= 1;
    return { worker: space.worker.name };
  }

  /** Keeps the worker that lacks least for this need: nothing else is placed on it in this plan. No effect when every worker that could ever hold it is kept already.
   *  Its shortage only shrinks while it is held, so the smallest shortage never grows from plan to plan and the need fits in the end. */
  hold(need: Resources): void {
    const space = this.#closest(need, (each) => !each.held);
    if (space !== undefined) space.held = true;
  }

  #refusal(need: Resources): Refusal {
    if (this.#spaces.length === 0) return { because: "no_worker", lacking: [] };
    const possible = this.#spaces.filter((each) => canEverHold(each, need));
    if (possible.length === 0) return { because: "too_large", lacking: this.#beyond(need) };
    const roomy = possible.filter((each) => fits(need, each.free));
    if (roomy.some((each) => each.freeSlots > 0)) return { because: "reserved", lacking: [] };
    if (roomy.length > 0) return { because: "slots", lacking: [] };
    return { because: "capacity", lacking: this.shortage(need) };
  }

  /** What is short of a need now, on the worker that lacks least of those that could ever hold it. */
  shortage(need: Resources): Shortage[] {
    const space = this.#closest(need, () => true);
    return space === undefined ? [] : shortages(need, space.free);
  }

  #closest(need: Resources, where: (space: Space) => boolean): Space | undefined {
    let best: { space: Space; shortage: number } | undefined;
    for (const space of this.#spaces) {
      if (!where(space) || !canEverHold(space, need)) continue;
      const shortage = relativeShortage(need, space);
      if (best === undefined || shortage < best.shortage) best = { space, shortage };
    }
    return best?.space;
  }

  /** For a need that no worker can ever hold: what is beyond the largest capacities, or beyond the first worker when only the mix is too much. */
  #beyond(need: Resources): Shortage[] {
    const largest: Record<string, number> = {};
    for (const { worker } of this.#spaces) {
      for (const [name, amount] of Object.entries(worker.capacity))
        largest[name] = Math.max(largest[name] ?? 0, amount);
    }
    const beyond = shortages(need, largest);
    return beyond.length > 0 ? beyond : shortages(need, this.#spaces[0]?.worker.capacity ?? {});
  }
}

const canEverHold = (space: Space, need: Resources): boolean => fits(need, space.worker.capacity);

const shortages = (need: Resources, free: Resources): Shortage[] =>
  lacking(need, free).map((name) => ({ name, need: need[name] ?? 0, free: Math.max(0, free[name] ?? 0) }));

/** The largest part of its whole capacity that the worker lacks of any resource; 0 when only slots are lacking. */
function relativeShortage(need: Resources, space: Space): number {
  const parts = lacking(need, space.free).map(
    (name) => ((need[name] ?? 0) - (space.free[name] ?? 0)) / (space.worker.capacity[name] ?? 1),
  );
  return Math.max(0, ...parts);
}
