import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { SluiceError } from "../core/errors.ts";
import { ANY_SERVER } from "../fdl/check-service.ts";
import { fdlError } from "../fdl/findings.ts";
import { type FdlService, parseFdl } from "../fdl/parse-fdl.ts";
import { errno } from "../lib/errno.ts";

/** Reads FDL files with their scripts, as they lie beside them.
 *  @throws SluiceError FDL_INVALID with every mistake of every file as file:line:column; USAGE when a file is missing */
export async function readFdlFiles(paths: readonly string[], cwd: string): Promise<FdlService[]> {
  const services: FdlService[] = [];
  const mistakes: SluiceError[] = [];
  for (const path of paths) {
    const file = resolve(cwd, path);
    const content = definitionIn(path, file);
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
/** More than a definition or a script may have, in bytes: what they say of such a file is said of this much. */
const READ_BYTES = 2 * 1024 * 1024;

function definitionIn(path: string, file: string): Uint8Array {
  try {
    return readBeginning(file);
  } catch (error) {
    if (errno(error) === "ENOENT") throw new SluiceError("USAGE", `Cannot apply "${path}": there is no such file`);
    throw errno(error) === "EISDIR" ? new SluiceError("USAGE", `Cannot apply "${path}": it is a folder`) : error;
  }
}

const besides =
  (file: string) =>
  (path: string): Uint8Array | null => {
    try {
      return readBeginning(resolve(dirname(file), path));
    } catch (error) {
      if (ABSENT.includes(errno(error))) return null;
      throw error;
    }
  };

/** Never waits, as it would for a pipe, and never reads without end, as it would of a device.
 *  @throws SluiceError USAGE for what is no file */
function readBeginning(path: string): Uint8Array {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = fstatSync(fd);
    if (facts.isDirectory()) return readFileSync(fd);
    if (!facts.isFile()) throw new SluiceError("USAGE", `Cannot read "${path}": it is a device, pipe or socket`);
    const bytes = Buffer.alloc(Math.min(facts.size, READ_BYTES));
    let read = 0;
    for (let now = -1; read < bytes.length && now !== 0; read += now)
      now = readSync(fd, bytes, read, bytes.length - read, read);
    return bytes.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}
