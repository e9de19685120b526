import type { ObjectInfo } from "../../core/object.ts";
import type { LifecycleFilter, LifecycleRule } from "./rules.ts";

const DAY_MS = 86_400_000;

/** What is known about a version besides its row. */
export interface VersionPlace {
  /** When it stopped to be the latest, UTC ms; null while it is the latest. */
  readonly noncurrentSince: number | null;
  /** Versions of its key that are newer and not the latest. */
  readonly newerNoncurrent: number;
  /** True when its key has no other version. */
  readonly alone: boolean;
}

/** When something that happened at `from` is `days` old: S3 counts whole days and acts at the midnight (UTC) that follows. */
export function dueAt(from: number, days: number): number {
  return Math.ceil((from + days * DAY_MS) / DAY_MS) * DAY_MS;
}

/** True when a rule says that the version goes now. */
export function isDue(rule: LifecycleRule, version: ObjectInfo, place: VersionPlace, now: number): boolean {
  if (!rule.enabled || !matches(rule.filter, version)) return false;
  if (place.noncurrentSince !== null) {
    const { noncurrent } = rule;
    if (noncurrent === null || place.newerNoncurrent < noncurrent.keep) return false;
    return dueAt(place.noncurrentSince, noncurrent.days) <= now;
  }
  const { expiration } = rule;
  if (expiration === null) return false;
  if (version.isDeleteMarker) return place.alone && expiresMarker(expiration, version, now);
  if ("days" in expiration) return dueAt(version.lastModified, expiration.days) <= now;
  return "at" in expiration && expiration.at <= now;
}

/** A marker that hides nothing any more goes when a rule asks for that, or with an expiration by age. */
function expiresMarker(expiration: NonNullable<LifecycleRule["expiration"]>, marker: ObjectInfo, now: number): boolean {
  if ("deleteMarkers" in expiration) return expiration.deleteMarkers;
  return "days" in expiration && dueAt(marker.lastModified, expiration.days) <= now;
}

/** Markers have no size and no tags: a filter that asks for these is not about them. */
function matches(filter: LifecycleFilter, version: ObjectInfo): boolean {
  if (!version.key.startsWith(filter.prefix)) return false;
  if (filter.largerThan !== null && version.sizeBytes <= filter.largerThan) return false;
  if (filter.smallerThan !== null && version.sizeBytes >= filter.smallerThan) return false;
  if (version.isDeleteMarker && (filter.largerThan !== null || filter.smallerThan !== null)) return false;
  return filter.tags.every(([key, value]) => Object.hasOwn(version.tags, key) && version.tags[key] === value);
}
