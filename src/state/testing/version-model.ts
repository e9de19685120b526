import { compareKeys } from "../../core/keys.ts";
import type { Bucket, ObjectInfo } from "../../core/object.ts";

/** A version as the model knows it. `id` is the state's, as only that knows its numbers. */
export interface ModelVersion {
  readonly key: string;
  readonly id: string;
  /** Null for a delete marker. */
  readonly etag: string | null;
}

/** One bucket by the words of the S3 manual, in memory: the versions of each key, the newest first.
 *  @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html */
export class VersionModel {
  versioning: Bucket["versioning"] = "off";
  readonly #keys = new Map<string, ModelVersion[]>();

  versionsOf(key: string): readonly ModelVersion[] {
    return this.#keys.get(key) ?? [];
  }

  latest(key: string): ModelVersion | undefined {
    return this.versionsOf(key)[0];
  }

  /** True when a reader finds an object under the key. */
  has(key: string): boolean {
    return typeof this.latest(key)?.etag === "string";
  }

  /** The id that a write must get, given the one that it got: "null", or one that no version had. */
  expectId(key: string, id: string): string {
    if (this.versioning !== "enabled") return "null";
    return id === "null" || this.versionsOf(key).some((version) => version.id === id) ? "an id of its own" : id;
  }

  put(key: string, id: string, etag: string): void {
    this.#add({ key, id, etag });
  }

  /** A delete without a version id; `id` is that of the delete marker, or null when versioning is off. */
  hide(key: string, id: string | null): void {
    if (id === null) this.#keys.delete(key);
    else this.#add({ key, id, etag: null });
  }

  remove(key: string, id: string): void {
    this.#set(
      key,
      this.versionsOf(key).filter((version) => version.id !== id),
    );
  }

  /** Every version, by key and from the newest on. */
  all(): ModelVersion[] {
    return [...this.#keys.keys()].toSorted(compareKeys).flatMap((key) => this.versionsOf(key));
  }

  #add(version: ModelVersion): void {
    const kept = this.versionsOf(version.key).filter(({ id }) => id !== version.id);
    this.#set(version.key, [version, ...kept]);
  }

  #set(key: string, versions: ModelVersion[]): void {
    if (versions.length === 0) this.#keys.delete(key);
    else this.#keys.set(key, versions);
  }
}

export const toModel = ({ key, versionId, isDeleteMarker, etag }: ObjectInfo): ModelVersion => ({
  key,
  id: versionId,
  etag: isDeleteMarker ? null : etag,
});
