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
}

/** The slots of this server. A slot has one holder at a time, so no two living sandboxes share a host user id. */
export class SlotPool {
  readonly #options: SlotPoolOptions;
  readonly #idle: Slot[] = [];
  readonly #held = new Set<Slot>();
  readonly #broken: Slot[] = [];
  #made = 0;

  constructor(options: SlotPoolOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o711 });
  }

  /** The lowest free slot: low ones stay warm. One whose launcher is of the wrong kind is taken only where there is no other.
   *  @throws SluiceError SANDBOX_UNAVAILABLE when all are held */
  take(flavour: Flavour): Slot {
    this.#idle.sort((a, b) => b.index - a.index);
    const fitting = this.#idle.findLastIndex((slot) => slot.flavour === flavour);
    const spare = this.#idle.length < this.#options.warm && this.#made < this.#options.count;
    const [found] = fitting >= 0 ? this.#idle.splice(fitting, 1) : [spare ? undefined : this.#idle.pop()];
    const slot = found ?? this.#make();
    this.#held.add(slot);
    return slot;
  }

  /** Takes a slot back, empty. */
  async giveBack(slot: Slot): Promise<void> {
    if (!this.#held.delete(slot)) return;
    this.#idle.push(slot);
    if (this.#idle.length > this.#options.warm) await slot.cool();
  }

  /** A slot whose processes do not die is never used again. */
  setAside(slot: Slot): void {
    if (this.#held.delete(slot)) this.#broken.push(slot);
  }

  get living(): ReadonlySet<Slot> {
    return this.#held;
  }

  async close(): Promise<void> {
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
