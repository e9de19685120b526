import { SluiceError } from "../../core/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { State } from "../../state/state.ts";
import type { BlobHolder, DamagedBlob, KeptBlob, StoreAudit, WrongReferences } from "../../state/store-check-calls.ts";
import type { WriterDeps } from "../blob-writer.ts";
import { beating } from "./beating.ts";
import { walkBlobs } from "./blob-walk.ts";
import type { DamagedThing, Progress, StoreFinding, Summary } from "./findings.ts";
import { mendBlob } from "./mend-blob.ts";
import { findOrphans } from "./orphans.ts";
import { Pace } from "./pace.ts";

/** Entries of a list that a check keeps and names; what is more is counted. */
export const NAMED_AT_MOST = 10_000;
const PROGRESS_MS = 1000;
const TWINS_TRIED = 8;

export interface StoreCheckDeps {
  readonly state: Pick<
    State,
    "blobPage" | "auditStore" | "recountBlobs" | "replaceInline" | "noteDamage" | "damagedCount" | "unknownBlobs"
  >;
  readonly writer: WriterDeps;
  readonly clock: Clock;
}

export interface CheckOptions {
  /** Removes orphans, counts references anew, and gives damaged blobs their bytes back where another blob has them. Nothing that users made is
   *  ever removed. */
  readonly repair: boolean;
  readonly bytesPerSecond: number;
}

/** Looks through the whole store while everything runs:
 *
 *  ```
 *  rows      every row that names a blob, at one moment: counts of references, things without bytes
 *  blobs     every blob's bytes, in order of their rows
 *  files     every blob file: those that no row names
 *  objects   what names the blobs that are damaged, and which other blobs have their bytes
 *  ```
 *  One check at a time: two would halve each other's pace and mend the same blob. */
export class StoreCheck {
  readonly #deps: StoreCheckDeps;
  #running = false;

  constructor(deps: StoreCheckDeps) {
    this.#deps = deps;
  }

  /** Begins when the first finding is asked for; ends early when `signal` aborts or the reader leaves, without a summary.
   *  @throws SluiceError OVERLOADED while another check runs; DISK_FULL when there is no room to mend */
  run(options: CheckOptions, signal: AbortSignal): AsyncGenerator<StoreFinding> {
    this.#refuseSecond();
    return this.#run(options, signal);
  }

  #refuseSecond(): void {
    if (!this.#running) return;
    throw new SluiceError("OVERLOADED", "Cannot check the store: another check is running (wait for it, or stop it)");
  }

  async *#run(options: CheckOptions, signal: AbortSignal): AsyncGenerator<StoreFinding> {
    this.#refuseSecond();
    this.#running = true;
    try {
      yield* new Check(this.#deps, options).findings(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#running = false;
    }
  }
}

/** One check: what it has found so far. A step is a finding, or bytes that were read. */
class Check {
  readonly #deps: StoreCheckDeps;
  readonly #options: CheckOptions;
  readonly #damages: DamagedBlob[] = [];
  readonly #lost: DamagedThing[] = [];
  readonly #counts = { damaged: 0, mended: 0, objects: 0, orphans: 0, removed: 0, references: 0, recounted: 0 };
  #cut = false;
  #at: Progress = { kind: "progress", phase: "rows", blobs: 0, bytes: 0, ofBlobs: 0, ofBytes: 0 };

  constructor(deps: StoreCheckDeps, options: CheckOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async *findings(signal: AbortSignal): AsyncGenerator<StoreFinding> {
    const pace = new Pace(this.#deps.clock, () => this.#options.bytesPerSecond);
    yield this.#at;
    let saidAt = this.#deps.clock.monotonicMs();
    for await (const step of this.#steps()) {
      if (typeof step !== "number") yield step;
      else if (step > 0) await pace.take(step, signal);
      signal.throwIfAborted();
      const now = this.#deps.clock.monotonicMs();
      if (now - saidAt < PROGRESS_MS) continue;
      saidAt = now;
      yield this.#at;
    }
    yield this.#summary();
  }

  async *#steps(): AsyncGenerator<StoreFinding | number> {
    yield* this.#rows();
    this.#at = { ...this.#at, phase: "blobs" };
    yield* this.#blobs();
    this.#at = { ...this.#at, phase: "files" };
    yield* this.#files();
    this.#at = { ...this.#at, phase: "objects" };
    yield* this.#objects();
  }

  #summary(): Summary {
    const { blobs, bytes } = this.#at;
    return { kind: "end", blobs, bytes, ...this.#counts, cut: this.#cut };
  }

  async *#rows(): AsyncGenerator<StoreFinding | number> {
    const { blobs, bytes, references, lost } = yield* this.#audit([]);
    this.#at = { ...this.#at, ofBlobs: blobs, ofBytes: bytes };
    this.#cut ||= references.length === NAMED_AT_MOST || lost.length >= NAMED_AT_MOST;
    this.#lost.push(...lost.map(({ damage, ...holder }) => thing(holder, null, damage)));
    this.#counts.references = references.length;
    const { repair } = this.#options;
    if (repair && references.length > 0) {
      await this.#deps.state.recountBlobs(references.map(({ row }) => row));
      this.#counts.recounted = references.length;
    }
    for (const wrong of references) yield wrongCount(wrong, repair);
  }

  async *#blobs(): AsyncGenerator<StoreFinding | number> {
    const { state, writer, clock } = this.#deps;
    for await (const step of walkBlobs({ state, folder: writer.folder, clock }, 0)) {
      if (typeof step === "number") {
        this.#at = { ...this.#at, bytes: this.#at.bytes + step };
        yield step;
      } else if (step.kind === "page") {
        this.#at = { ...this.#at, blobs: this.#at.blobs + step.blobs };
        yield 0;
      } else {
        this.#counts.damaged += 1;
        const { kept, verdict } = step;
        if (this.#damages.length === NAMED_AT_MOST) this.#cut = true;
        else this.#damages.push({ row: kept.row, blobId: kept.blobId, damage: verdict.damage });
        yield { kind: "damaged", blob: kept.blobId, ...verdict };
      }
    }
  }

  async *#files(): AsyncGenerator<StoreFinding | number> {
    const { state, writer } = this.#deps;
    for await (const step of findOrphans({ state, folder: writer.folder }, this.#options.repair)) {
      if (step !== 0) {
        this.#counts.orphans += 1;
        if (step.removed) this.#counts.removed += 1;
      }
      yield step;
    }
  }

  async *#objects(): AsyncGenerator<StoreFinding | number> {
    let left: readonly DamagedBlob[] = this.#damages;
    let holders: readonly BlobHolder[] = [];
    if (left.length > 0) {
      const audit = yield* this.#audit(left.map(({ row }) => row));
      this.#cut ||= audit.holders.length === NAMED_AT_MOST;
      holders = audit.holders;
      if (this.#options.repair) left = yield* this.#mend(left, audit);
    }
    const damages = new Map(left.map((each) => [each.row, each]));
    for (const holder of holders) {
      const damage = damages.get(holder.row);
      if (damage !== undefined) this.#lost.push(thing(holder, damage.blobId, damage.damage));
    }
    this.#counts.objects = this.#lost.length;
    yield* this.#lost;
  }

  /** Returns those that stay damaged. */
  async *#mend(
    damages: readonly DamagedBlob[],
    { twins }: StoreAudit,
  ): AsyncGenerator<StoreFinding | number, readonly DamagedBlob[]> {
    const { state, clock } = this.#deps;
    const left: DamagedBlob[] = [];
    for (const damage of damages) {
      const { row, blobId } = damage;
      const own = await this.#blob(row);
      if (own === null) continue;
      // Behind its own bytes something may have been added.
      const others = await this.#twinsOf(row, twins);
      const from = yield* mendBlob(this.#deps, own, damage.damage === "size" ? [own, ...others] : others);
      if (from === null) {
        left.push(damage);
        continue;
      }
      await state.noteDamage(row - 1, row, [], clock.now());
      this.#counts.mended += 1;
      yield { kind: "mended", blob: blobId, from };
    }
    return left;
  }

  async #twinsOf(row: number, twins: StoreAudit["twins"]): Promise<KeptBlob[]> {
    const rows = twins.filter((each) => each.row === row).slice(0, TWINS_TRIED);
    const found = await Promise.all(rows.map(({ twin }) => this.#blob(twin)));
    return found.filter((each) => each !== null);
  }

  async #blob(row: number): Promise<KeptBlob | null> {
    const [found] = await this.#deps.state.blobPage(row - 1, 1);
    return found?.row === row ? found : null;
  }

  #audit(rows: readonly number[]): AsyncGenerator<number, StoreAudit> {
    return beating(this.#deps.state.auditStore(rows, NAMED_AT_MOST));
  }
}

const thing = (
  { row: _, ...holder }: BlobHolder,
  blob: string | null,
  damage: DamagedThing["damage"],
): DamagedThing => ({
  kind: "object",
  ...holder,
  blob,
  damage,
});

const wrongCount = ({ blobId, kept, counted }: WrongReferences, mended: boolean): StoreFinding => ({
  kind: "references",
  blob: blobId,
  kept,
  counted,
  mended,
});
