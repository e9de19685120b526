import type { Bucket } from "../core/object.ts";
import type { Clock } from "../lib/clock.ts";
import type { State } from "../state/state.ts";

/** How long a bucket is believed to be as it was. Another process may delete it meanwhile: writes are checked again in their transaction. */
const BELIEVED_MS = 1000;
const MAX_BUCKETS = 1000;

/** Spares the database one question a request: who owns the bucket. Absent buckets are asked for every time. */
export class BucketCache {
  readonly #state: Pick<State, "bucket">;
  readonly #clock: Clock;
  readonly #known = new Map<string, { bucket: Bucket; until: number }>();
  /** Grows when buckets change, so that an answer from before is not kept. */
  #generation = 0;
  readonly #unsubscribe: () => void;

  constructor(state: Pick<State, "bucket" | "subscribe">, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
    this.#unsubscribe = state.subscribe((notice) => {
      if (notice.kinds.some((kind) => kind.startsWith("bucket."))) this.clear();
    });
  }

  async get(name: string): Promise<Bucket | null> {
    const entry = this.#known.get(name);
    if (entry !== undefined && this.#clock.monotonicMs() < entry.until) return entry.bucket;
    const generation = this.#generation;
    const bucket = await this.#state.bucket(name);
    if (bucket !== null && generation === this.#generation) this.#keep(bucket);
    return bucket;
  }

  #keep(bucket: Bucket): void {
    if (this.#known.size >= MAX_BUCKETS) this.#known.clear();
    this.#known.set(bucket.name, { bucket, until: this.#clock.monotonicMs() + BELIEVED_MS });
  }

  clear(): void {
    this.#generation += 1;
    this.#known.clear();
  }

  close(): void {
    this.#unsubscribe();
  }
}
