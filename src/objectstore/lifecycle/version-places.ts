import type { ObjectInfo } from "../../core/object.ts";
import type { VersionPlace } from "./due.ts";

/** Says for each version where it stands among those of its key. Takes them by key, from the newest on, and holds two at a time. */
export async function* withPlaces(
  versions: AsyncIterable<ObjectInfo>,
): AsyncGenerator<{ readonly version: ObjectInfo; readonly place: VersionPlace }> {
  let newer: ObjectInfo | null = null;
  let newerNoncurrent = 0;
  let held: ObjectInfo | null = null;
  const placeOf = (version: ObjectInfo, next: ObjectInfo | null): VersionPlace => ({
    noncurrentSince: version.isLatest ? null : (newer?.lastModified ?? version.lastModified),
    newerNoncurrent,
    alone: newer === null && next?.key !== version.key,
  });
  for await (const next of versions) {
    if (held !== null) {
      yield { version: held, place: placeOf(held, next) };
      if (next.key === held.key) {
        if (!held.isLatest) newerNoncurrent += 1;
        newer = held;
      } else {
        newer = null;
        newerNoncurrent = 0;
      }
    }
    held = next;
  }
  if (held !== null) yield { version: held, place: placeOf(held, null) };
}
