import { afterEach, beforeEach, expect, it } from "vitest";
import { compareKeys } from "../../core/keys.ts";
import { Dice } from "./dice.ts";
import { ADA, StateBench } from "./state-bench.ts";
import { type ModelVersion, toModel, VersionModel } from "./version-model.ts";

const KEYS = ["a", "a/1", "a/2", "a0", "b", "ü/x", "ü/y"];
const STEPS = 150;

/** Random writes, deletes and changes of versioning agree with a model of the manual's words. The seed is in the name of each run. */
export function randomVersionsContract(driver: string): void {
  let bench: StateBench;
  beforeEach(async () => {
    bench = await StateBench.open(driver);
    await bench.state.createBucket(ADA, "box");
  });
  afterEach(() => bench.close());

  it.each([1, 2, 3])("random calls on versions agree with the manual (seed %i)", async (seed) => {
    const run = new Run(bench, new Dice(seed));
    for (let step = 0; step < STEPS; step++) {
      await run.step();
      if (step % 10 === 0) await run.compare();
    }
    await run.compare();
    await run.empty();
  });
}

class Run {
  readonly #bench: StateBench;
  readonly #dice: Dice;
  readonly #model = new VersionModel();
  #writes = 0;

  constructor(bench: StateBench, dice: Dice) {
    this.#bench = bench;
    this.#dice = dice;
  }

  async step(): Promise<void> {
    const what = this.#dice.below(20);
    const key = this.#dice.pick(KEYS) ?? "";
    if (what < 8) await this.#put(key);
    else if (what < 10) await this.#copy(key);
    else if (what < 14) await this.#hide(key);
    else if (what < 19) await this.#remove(key);
    else await this.#setVersioning();
  }

  async #put(key: string): Promise<void> {
    this.#writes += 1;
    const { object } = await this.#bench.put(`box/${key}`, `bytes ${this.#writes}`);
    this.#wrote(key, object.versionId, object.etag);
  }

  async #copy(key: string): Promise<void> {
    const from = this.#dice.pick(this.#model.all().filter(({ etag }) => etag !== null));
    if (from === undefined) return;
    const source = await this.#bench.state.objectVersion("box", from.key, from.id);
    if (source === null) throw new Error(`version ${from.id} of ${from.key} is missing`);
    const kept = { replace: null, tags: null, checksums: null, condition: null, lineage: null };
    const { object } = await this.#bench.state.copyObject({ by: ADA, source, bucket: "box", key, ...kept, at: 1 });
    this.#wrote(key, object.versionId, from.etag ?? "");
  }

  #wrote(key: string, id: string, etag: string): void {
    expect(id).toBe(this.#model.expectId(key, id));
    this.#model.put(key, id, etag);
  }

  async #hide(key: string): Promise<void> {
    const existed = this.#model.has(key);
    const [deleted] = await this.#bench.state.deleteObjects(ADA, "box", [{ key }], 1);
    expect(deleted).toMatchObject({ existed, refused: false });
    const marker = deleted?.deleteMarker ?? null;
    if (this.#model.versioning === "off") expect(marker).toBeNull();
    else expect(marker).toBe(this.#model.expectId(key, marker ?? ""));
    this.#model.hide(key, marker);
  }

  async #remove(key: string): Promise<void> {
    const version = this.#dice.pick(this.#model.versionsOf(key));
    const versionId = version?.id ?? "0".repeat(16);
    const [deleted] = await this.#bench.state.deleteObjects(ADA, "box", [{ key, versionId }], 1);
    const deleteMarker = version?.etag === null ? version.id : null;
    expect(deleted).toMatchObject({ existed: version !== undefined, deleteMarker });
    this.#model.remove(key, versionId);
  }

  async #setVersioning(): Promise<void> {
    const versioning = this.#dice.pick(["enabled", "enabled", "suspended"] as const) ?? "enabled";
    await this.#bench.state.setVersioning(ADA, "box", versioning);
    this.#model.versioning = versioning;
  }

  async compare(): Promise<void> {
    const all = this.#model.all();
    const latest = KEYS.filter((key) => this.#model.has(key)).toSorted(compareKeys);
    expect(await this.#bench.keys("box")).toEqual(latest);
    expect(await this.#bench.state.objectCount()).toBe(latest.length);
    expect(await this.#pages(1 + this.#dice.below(5))).toEqual(all);
    for (const version of all) {
      const read = await this.#bench.state.objectVersion("box", version.key, version.id);
      expect(read === null ? null : toModel(read)).toEqual(version);
      expect(read?.isLatest).toBe(version === this.#model.latest(version.key));
    }
    for (const key of KEYS) {
      const read = await this.#bench.state.objectVersion("box", key, null);
      expect(read === null ? undefined : toModel(read)).toEqual(this.#model.latest(key));
    }
  }

  async #pages(limit: number): Promise<ModelVersion[]> {
    const found: ModelVersion[] = [];
    let [afterKey, afterVersionId]: [string, string | null] = ["", null];
    for (;;) {
      const query = { bucket: "box", prefix: "", delimiter: "", afterKey, afterVersionId, limit };
      const { versions, next } = await this.#bench.state.listVersions(query);
      found.push(...versions.map(toModel));
      if (next === null) return found;
      [afterKey, afterVersionId] = [next.key, next.versionId];
    }
  }

  /** Everything goes, and nothing is left of it: all bytes that were written are garbage, each once. */
  async empty(): Promise<void> {
    const targets = this.#model.all().map(({ key, id }) => ({ key, versionId: id }));
    await this.#bench.state.deleteObjects(ADA, "box", targets, 1);
    expect(await this.#bench.garbage()).toHaveLength(this.#writes);
    await this.#bench.state.deleteBucket(ADA, "box");
  }
}
