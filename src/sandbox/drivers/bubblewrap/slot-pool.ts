import { mkdirSync } from "node:fs";
import { SluiceError } from "../../../core/errors.ts";
import type { CgroupTree } from "./cgroup.ts";
import { type Flavour, Slot } from "./slot.ts";
import type { UidBlock } from "./uid-block.ts";

export interface SlotPoolOptions {
  readonly folder: string;
  /** Host ids, one a slot; null when the server cannot become anybody else. */
  readonly uids: UidBlock | null;
  readonly gid: number;
  readonly count: number;
  readonly cgroups: CgroupTree | null;
  /** Launchers kept warm while idle. */
  readonly warm: number;
  /** Idle ones vanish after so long. */
  readonly idleMs: number;
  /** Hears why idle ones could not be ended. */
  readonly failed: (error: unknown) => void;
}

/** Launchers of one kind that are to be ready at any time. */
export interface Kept {
  readonly flavour: Flavour;
  readonly tenant: string;
  readonly count: number;
}

/** Looks for idle launchers in the time that one may be idle. */
const LOOKS = 4;

/** The slots of this server. A slot has one holder at a time, so no two living sandboxes share a host user id. */
export class SlotPool {
  readonly #options: SlotPoolOptions;
  readonly #idle: Slot[] = [];
  readonly #held = new Set<Slot>();
  readonly #broken: Slot[] = [];
  /** When each idle slot was given back; on the machine's monotonic clock. */
  readonly #idleSince = new Map<Slot, number>();
  readonly #timer: NodeJS.Timeout;
  #kept: readonly Kept[] = [];
  #made = 0;

  constructor(options: SlotPoolOptions) {
    this.#options = options;
    this.#timer = setInterval(
      () => void this.coolIdle(performance.now()).catch(options.failed),
      options.idleMs / LOOKS,
    ).unref();
    mkdirSync(options.folder, { recursive: true, mode: 0o711 });
  }

  /** A slot where changes to the root wait for this job; else the lowest free one whose launcher fits, so that low ones stay warm; else one without a launcher,
   *  which is started as it is needed; one that is of another kind, or holds another's changes, only where no more slots may be made.
   *  @param key whose changes the job may find (see `reuseKey`)
   *  @throws SluiceError SANDBOX_UNAVAILABLE when all are held */
  async take(flavour: Flavour, tenant: string, key: string | null = null): Promise<Slot> {
    const slot = this.#choose(flavour, tenant, key) ?? this.#make();
    this.#held.add(slot);
    try {
      if (slot.root.keptFor !== null && slot.root.keptFor !== key) await slot.clearRoot();
    } catch (error) {
      this.setAside(slot);
      throw error;
    }
    return slot;
  }

  #choose(flavour: Flavour, tenant: string, key: string | null): Slot | undefined {
    this.#idle.sort((a, b) => b.index - a.index);
    const isFree = ({ root }: Slot): boolean => root.keptFor === null;
    const places = [
      key === null ? -1 : this.#idle.findLastIndex(({ root }) => root.keptFor === key),
      this.#idle.findLastIndex((slot) => isFree(slot) && slot.suits(flavour, tenant)),
      this.#idle.findLastIndex((slot) => isFree(slot) && !slot.isWarm),
      this.#made < this.#options.count ? -1 : this.#idle.findIndex(isFree),
      this.#made < this.#options.count ? -1 : this.#idle.length - 1,
    ];
    const place = places.find((at) => at >= 0);
    return place === undefined ? undefined : this.#idle.splice(place, 1)[0];
  }

  /** Takes a slot back, empty. Of too many idle launchers one of another kind goes first: jobs come in rows of one kind. */
  async giveBack(slot: Slot): Promise<void> {
    if (!this.#held.delete(slot)) return;
    this.#idle.push(slot);
    this.#idleSince.set(slot, performance.now());
    const free = this.#idle.filter((idle) => idle.isWarm && !this.#isKept(idle));
    if (free.length <= this.#options.warm) return;
    await (free.find((idle) => idle.flavour !== slot.flavour) ?? free.find((idle) => idle === slot) ?? free[0])?.cool();
  }

  /** Launchers of these kinds stay, so many of each, beside the warm ones. They are not started here. */
  keep(kept: readonly Kept[]): void {
    this.#kept = kept;
  }

  /** Ends launchers that were idle too long, and gives up changes to roots that nobody came for.
   *  @param now on the machine's monotonic clock, in ms */
  async coolIdle(now: number): Promise<void> {
    const old = this.#idle.filter((slot) => now - (this.#idleSince.get(slot) ?? now) > this.#options.idleMs);
    for (const slot of old.filter((slot) => (slot.isWarm || slot.root.keptFor !== null) && !this.#isKept(slot))) {
      // No job may have it meanwhile.
      const place = this.#idle.indexOf(slot);
      if (place < 0) continue;
      this.#idle.splice(place, 1);
      this.#held.add(slot);
      try {
        if (slot.root.keptFor !== null) await slot.clearRoot();
        await slot.cool();
      } finally {
        this.#held.delete(slot);
        this.#idle.push(slot);
      }
    }
  }

  /** One of the first so many that suit. Launchers without a network serve everybody, and add up. */
  #isKept(slot: Slot): boolean {
    const suiting = this.#kept.filter(({ flavour, tenant }) => slot.suits(flavour, tenant));
    const count = suiting.reduce((sum, kept) => sum + kept.count, 0);
    const all = [...this.#held, ...this.#idle].filter((other) =>
      suiting.some(({ flavour, tenant }) => other.suits(flavour, tenant)),
    );
    return all.toSorted((a, b) => a.index - b.index).indexOf(slot) < count && count > 0;
  }

  /** A slot whose processes do not die is never used again. */
  setAside(slot: Slot): void {
    if (this.#held.delete(slot)) this.#broken.push(slot);
  }

  get living(): ReadonlySet<Slot> {
    return this.#held;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const slot of [...this.#held, ...this.#idle]) await slot.close();
    this.#idle.length = 0;
    this.#held.clear();
  }

  #make(): Slot {
    const { folder, uids, gid, count, cgroups } = this.#options;
    if (this.#made >= count) {
      throw new SluiceError(
        "SANDBOX_UNAVAILABLE",
        `Cannot start a sandbox: all ${count} slots run one (raise 'uid_count')`,
      );
    }
    const index = this.#made;
    const user = uids === null ? null : { uid: uids.first + index, gid };
    const slot = new Slot(index, `${folder}/slot-${index}`, user, cgroups?.open(`slot-${index}`) ?? null);
    this.#made += 1;
    return slot;
  }
}
