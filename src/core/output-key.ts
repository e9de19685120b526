import { inputFileName } from "./input-name.ts";
import type { StorageEntry } from "./service.ts";

/** What the placeholders of an output path stand for. */
export interface OutputNaming {
  readonly jobId: string;
  /** Key of the input, or the made-up name of a call's body. */
  readonly inputName: string;
  /** The event's time, UTC ms. */
  readonly time: number;
}

/** `name` without its last extension; a leading dot starts no extension. */
export function stem(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

/** Where an output goes: the entry's path with `{job}`, `{input}`, `{stem}` and `{date}` filled in, then the name relative to
 *  TMP_OUTPUT_DIR. Other braces are literal. */
export function outputKey(
  entry: StorageEntry,
  relativeName: string,
  naming: OutputNaming,
): { bucket: string; key: string } {
  const folder = fillIn(entry.folder, naming);
  return { bucket: entry.bucket, key: folder === "" ? relativeName : `${folder}/${relativeName}` };
}

function fillIn(path: string, naming: OutputNaming): string {
  const input = inputFileName(naming.inputName);
  const values: Record<string, string> = {
    job: naming.jobId,
    input,
    stem: stem(input),
    date: new Date(naming.time).toISOString().slice(0, 10),
  };
  return path.replace(/\{(job|input|stem|date)\}/g, (_, name: string) => values[name] ?? "");
}

/** The key under `on_conflict: rename`: `{stem}-{job}` with the extension kept. */
export function renamedKey(key: string, jobId: string): string {
  const slash = key.lastIndexOf("/") + 1;
  const base = key.slice(slash);
  const name = stem(base);
  return `${key.slice(0, slash)}${name}-${jobId}${base.slice(name.length)}`;
}
