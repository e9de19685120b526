import { isSluiceError } from "../core/errors.ts";
import { EMBEDDED_PROVIDER } from "../core/filters.ts";
import { checkBucketName, checkKey } from "../core/keys.ts";
import type { StorageEntry } from "../core/service.ts";
import { nearest } from "../lib/nearest.ts";
import type { JsonObject, Path } from "../lib/tree.ts";
import { booleanIn, textIn, textsIn } from "./definition-values.ts";
import type { Findings } from "./findings.ts";

const PROVIDER_KINDS = ["minio", "s3", "onedata", "webdav", "rucio"];

/** One checked `input` or `output` entry as a StorageEntry, or null when it cannot be used (and `findings` says why). */
export function storageEntry(
  entry: JsonObject,
  side: "input" | "output",
  service: string,
  path: Path,
  findings: Findings,
): StorageEntry | null {
  const provider = providerOf(textIn(entry, "storage_provider") ?? "", side, [...path, "storage_provider"], findings);
  const place = placeOf(textIn(entry, "path"), service, [...path, "path"], findings);
  if (provider === null || place === null) return null;
  const prefixes = textsIn(entry, "prefix");
  const suffixes = textsIn(entry, "suffix");
  return { provider, ...place, prefixes, suffixes, optional: booleanIn(entry, "optional") };
}

function providerOf(written: string, side: "input" | "output", path: Path, findings: Findings): string | null {
  const [kind = "", id = "default"] = written.trim() === "" ? ["minio"] : written.trim().split(/\.(.*)/s);
  if (kind.toLowerCase() === "minio" && id === "default") return EMBEDDED_PROVIDER;
  if (PROVIDER_KINDS.includes(kind.toLowerCase())) {
    const what = side === "input" ? "takes no files from" : "delivers no files to";
    findings.wrong(
      path,
      `this server ${what} the outside provider "${written}" yet`,
      'use "minio", the store of this server',
    );
  } else {
    const near = nearest(kind, PROVIDER_KINDS);
    findings.wrong(path, `unknown storage provider "${written}"`, near === null ? null : `did you mean "${near}"?`);
  }
  return null;
}

/** `bucket/folder…` taken apart. Slashes around it are dropped; one word without a slash is a folder of the service's own bucket,
 *  as in OSCAR, and `bucket/` is the whole bucket. */
function placeOf(
  written: string | null,
  service: string,
  path: Path,
  findings: Findings,
): { bucket: string; folder: string } | null {
  // The key table has already told that it is missing.
  if (written === null) return null;
  const trimmed = written.replace(/^[\s/]+|\s+$/g, "");
  const bare = trimmed.replace(/\/+$/, "");
  if (bare === "") {
    findings.wrong(path, "the path is empty", `write a bucket and a folder, for example ${service || "photos"}/in`);
    return null;
  }
  const full = trimmed.includes("/") ? bare : `${service}/${bare}`;
  const [bucket = "", folder = ""] = full.split(/\/(.*)/s);
  try {
    checkBucketName(bucket);
    if (folder !== "") checkKey(`${folder}/x`);
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    findings.wrong(path, reasonOf(error.message), null, "SERVICE_INVALID");
    return null;
  }
  return { bucket, folder };
}

/** `Cannot use "A" as a bucket name: use 3 …` says what was being done; here that is known. */
const reasonOf = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);
