import { isFolderMarker } from "./keys.ts";
import type { Service, StorageEntry } from "./service.ts";

/** The provider id that means the store inside this server. */
export const EMBEDDED_PROVIDER = "minio.default";

/** True when `name` starts with any prefix (or there is none) and ends with any suffix (or there is none), as in OSCAR. */
export function matchesFilters(name: string, entry: Pick<StorageEntry, "prefixes" | "suffixes">): boolean {
  const starts = entry.prefixes.length === 0 || entry.prefixes.some((prefix) => name.startsWith(prefix));
  return starts && (entry.suffixes.length === 0 || entry.suffixes.some((suffix) => name.endsWith(suffix)));
}

/** True when an object of the embedded store is an input of the service: its bucket, below the folder, and its base name passes the filters. */
export function triggers(service: Pick<Service, "inputs">, bucket: string, key: string): boolean {
  if (isFolderMarker(key)) return false;
  return service.inputs.some((entry) => {
    if (entry.provider !== EMBEDDED_PROVIDER || entry.bucket !== bucket) return false;
    const below = entry.folder === "" || key.startsWith(`${entry.folder}/`);
    return below && matchesFilters(key.slice(key.lastIndexOf("/") + 1), entry);
  });
}
