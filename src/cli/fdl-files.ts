import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { ANY_SERVER } from "../fdl/check-service.ts";
import { fdlError } from "../fdl/findings.ts";
import { type FdlService, parseFdl } from "../fdl/parse-fdl.ts";

/** Reads FDL files with their scripts, as they lie beside them.
 *  @throws SluiceError FDL_INVALID with every mistake of every file as file:line:column; USAGE when a file is missing */
export async function readFdlFiles(paths: readonly string[], cwd: string): Promise<FdlService[]> {
  const services: FdlService[] = [];
  const mistakes: SluiceError[] = [];
  for (const path of paths) {
    const file = resolve(cwd, path);
    const content = await readFile(file).catch((error: NodeJS.ErrnoException) => Promise.reject(explain(path, error)));
    const read = parseFdl(content, { fileName: path, readFile: besides(file), server: ANY_SERVER });
    services.push(...read.services);
    if (read.problems.length > 0) mistakes.push(fdlError(path, read.problems));
  }
  if (mistakes.length > 0) {
    const problems = mistakes.flatMap((error) => error.details?.problems ?? []);
    throw new SluiceError("FDL_INVALID", mistakes.map((error) => error.message).join("\n"), { details: { problems } });
  }
  return services;
}

/** Nothing to read there; other faults (no permission, a broken disk) are not the file's and are thrown. */
const ABSENT = ["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"];

const besides =
  (file: string) =>
  (path: string): Uint8Array | null => {
    try {
      return readFileSync(resolve(dirname(file), path));
    } catch (error) {
      if (error instanceof Error && "code" in error && ABSENT.includes(String(error.code))) return null;
      throw error;
    }
  };

function explain(path: string, error: NodeJS.ErrnoException): unknown {
  if (error.code === "ENOENT") return new SluiceError("USAGE", `Cannot apply "${path}": there is no such file`);
  return error.code === "EISDIR" ? new SluiceError("USAGE", `Cannot apply "${path}": it is a folder`) : error;
}
