import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { makeFolders } from "../lib/make-folders.ts";
import { replaceFile } from "./durable-file.ts";

/** Blobs may lie outside of the data directory, say on a network file system. Two files hold both together, because a wrong folder costs data: an empty
 *  one (its file system is not mounted) has no blob, and a foreign one gets its blobs removed as nobody's.
 *  ```
 *  DIR/blobs-dir          {id, path, claimed}       PATH/sluice-blobs      {id}
 *
 *  no marks ──▶ DIR: not claimed ──▶ PATH: id ──▶ DIR: claimed        (a crash between them starts again where it was)
 *  ```
 *  Who moves the folder moves its mark with it. */
const MARK = "blobs-dir";
const OWNER = "sluice-blobs";

interface Mark {
  readonly id: string;
  readonly path: string;
  readonly claimed: boolean;
}

/** Where the blobs of the data directory `dir` lie, by its mark; `DIR/blobs` without one. */
export function blobsPlace(dir: string): string {
  return readMark(dir)?.path ?? join(dir, "blobs");
}

/** The folder for the blobs of `dir`: `given`, made where it is absent and claimed for this data directory alone, or `DIR/blobs`.
 *  @param given absolute, or null
 *  @throws SluiceError DATA_DIR_INVALID when the blobs would not be where the database looks for them */
export function claimBlobsDir(dir: string, given: string | null): string {
  const mark = readMark(dir);
  if (given === null) {
    if (mark === null) return join(dir, "blobs");
    throw refused(dir, `its blobs lie in "${mark.path}"`, `give "${mark.path}" as blobs_dir`);
  }
  const path = makeReal(dir, given);
  if (holdsBlobs(join(dir, "blobs"))) {
    const own = join(dir, "blobs");
    throw refused(dir, `"${own}" holds blobs already`, `move them: cp -a ${own}/. ${path}/ && rm -r ${own}`);
  }
  const owner = readOwner(path);
  if (owner !== null && owner !== mark?.id) {
    throw refused(dir, `"${path}" holds the blobs of another data directory`, "choose another blobs_dir");
  }
  if (mark?.claimed === true && owner === null) {
    throw refused(
      dir,
      `"${path}" does not hold its blobs`,
      "is its file system mounted? Else move the old folder there, with sluice-blobs",
    );
  }
  if (owner === null) refuseForeign(dir, path);
  claim(dir, path, mark?.id ?? randomBytes(16).toString("hex"), owner !== null);
  return path;
}

function claim(dir: string, path: string, id: string, owned: boolean): void {
  if (!owned) {
    writeMark(dir, { id, path, claimed: false });
    replaceFile(join(path, OWNER), `${JSON.stringify({ id })}\n`);
  }
  writeMark(dir, { id, path, claimed: true });
}

function makeReal(dir: string, given: string): string {
  try {
    makeFolders(given, 0o700);
    return realpathSync(given);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : error;
    throw refused(dir, `"${given}" cannot be made (${why})`, "choose another blobs_dir");
  }
}

const BLOB_FOLDER = /^[0-9a-f]{2}$/;

function holdsBlobs(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder).some((name) => BLOB_FOLDER.test(name) && readdirSync(join(folder, name)).length > 0);
}

function refuseForeign(dir: string, path: string): void {
  const foreign = readdirSync(path).find((name) => !BLOB_FOLDER.test(name) && name !== "lost+found");
  if (foreign !== undefined)
    throw refused(dir, `"${path}" holds other files ("${foreign}")`, "choose another blobs_dir");
}

function readMark(dir: string): Mark | null {
  const read = readJson(join(dir, MARK));
  if (read === null) return null;
  const { id, path, claimed } = read as Partial<Mark>;
  if (typeof id === "string" && typeof path === "string") return { id, path, claimed: claimed === true };
  throw refused(dir, `"${join(dir, MARK)}" is damaged`, "restore it from a backup");
}

function readOwner(path: string): string | null {
  const read = readJson(join(path, OWNER)) as { readonly id?: unknown } | null;
  return read === null ? null : String(read.id);
}

function readJson(path: string): unknown {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new SluiceError("DATA_DIR_INVALID", `Cannot read "${path}": it is damaged (restore it from a backup)`, {
      cause: error,
    });
  }
}

function writeMark(dir: string, mark: Mark): void {
  const text = `${JSON.stringify(mark)}\n`;
  const path = join(dir, MARK);
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) replaceFile(path, text);
}

function refused(dir: string, state: string, cure: string): SluiceError {
  return new SluiceError("DATA_DIR_INVALID", `Cannot use the data directory "${dir}": ${state} (${cure})`);
}
