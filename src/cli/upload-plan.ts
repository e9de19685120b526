import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { checkKey } from "../core/keys.ts";
import type { RemotePath } from "./remote-path.ts";

/** One file to upload. */
export interface PlannedUpload {
  readonly path: string;
  readonly key: string;
  readonly sizeBytes: number;
}

export interface UploadPlan {
  readonly files: readonly PlannedUpload[];
  /** What is left out and why, a sentence each. */
  readonly skipped: readonly string[];
}

/** Decides the key of every file: a file goes to `PREFIX/its name`, what lies in a folder goes to `PREFIX/its path in the folder`; one file
 *  and a target that does not end in a slash make that exact key. Links to files are followed, links to folders and special files are skipped.
 *  @throws SluiceError USAGE when a path is missing, when two files want one key, or when there is nothing to do; KEY_INVALID */
export async function planUploads(paths: readonly string[], target: RemotePath): Promise<UploadPlan> {
  const files: PlannedUpload[] = [];
  const skipped: string[] = [];
  for (const path of paths) {
    const facts = await stat(path).catch((error: NodeJS.ErrnoException) => Promise.reject(explain(path, error)));
    if (facts.isDirectory()) {
      expectFolder(target, `"${path}" is a folder`);
      await walk(path, target.key, files, skipped);
    } else if (facts.isFile()) {
      if (paths.length > 1) expectFolder(target, "there are several files");
      files.push({ path, key: target.isFolder ? `${target.key}${basename(path)}` : target.key, sizeBytes: facts.size });
    } else {
      throw new SluiceError("USAGE", `Cannot put "${path}": it is neither a file nor a folder`);
    }
  }
  if (files.length === 0) {
    throw new SluiceError("USAGE", `Cannot put "${paths.join(" ")}": there is no file in it`);
  }
  expectDistinct(files);
  return { files, skipped };
}

async function walk(folder: string, prefix: string, files: PlannedUpload[], skipped: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const key = `${prefix}${entry.name}`;
    if (entry.isDirectory()) {
      await walk(path, `${key}/`, files, skipped);
      continue;
    }
    const facts = await stat(path).catch((error: NodeJS.ErrnoException) => error);
    if (facts instanceof Error) skipped.push(await whyUnreadable(path, facts));
    else if (facts.isFile()) files.push({ path, key, sizeBytes: facts.size });
    else skipped.push(`Skipped "${path}": it is ${facts.isDirectory() ? "a link to a folder" : "no regular file"}`);
  }
}

async function whyUnreadable(path: string, error: NodeJS.ErrnoException): Promise<string> {
  // readdir puts U+FFFD where bytes are not UTF-8, and no file answers to that name.
  const there = await lstat(path).then(
    () => true,
    () => false,
  );
  if (!there && path.includes("\uFFFD")) return `Skipped "${path}": its name is not valid UTF-8`;
  return `Skipped "${path}": ${error.code === "ENOENT" ? "the link leads nowhere" : error.message}`;
}

function expectFolder(target: RemotePath, because: string): void {
  if (target.isFolder) return;
  const path = `${target.bucket}/${target.key}`;
  throw new SluiceError("USAGE", `Cannot put into "${path}": ${because} (end the target with a slash: ${path}/)`);
}

function expectDistinct(files: readonly PlannedUpload[]): void {
  const seen = new Map<string, string>();
  for (const { path, key } of files) {
    checkKey(key);
    const other = seen.get(key);
    if (other !== undefined) {
      throw new SluiceError(
        "USAGE",
        `Cannot put "${path}" and "${other}": both would become "${key}" (put them apart)`,
      );
    }
    seen.set(key, path);
  }
}

function explain(path: string, error: NodeJS.ErrnoException): unknown {
  if (error.code !== "ENOENT") return error;
  return new SluiceError("USAGE", `Cannot put "${path}": there is no such file or folder`);
}
