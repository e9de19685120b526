import { closeSync, writeSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import type { AppliedLayer } from "./apply-layer.ts";
import { dropRights, type ImagesUser } from "./drop-rights.ts";
import { type LayerToUnpack, unpackLayer } from "./unpack-layer.ts";

/** A program of its own, so that blocking calls hold up nobody, and a defect in it can hurt nobody: `node unpack.ts JOB`, the blob as standard input
 *  (a file), the report as one JSON text on descriptor 3. Paths count from the working directory, which may lie where only root can go. */

/** JSON of the first argument. */
export interface UnpackJob extends LayerToUnpack {
  /** Whose rights it takes before it reads a byte; null keeps those it was started with. */
  readonly user: ImagesUser | null;
}

export type UnpackReport =
  | { readonly layer: AppliedLayer }
  | { readonly error: { readonly code: string; readonly message: string; readonly limit: "bytes" | null } };

const BLOB = 0;
const REPORT = 3;

async function run(job: UnpackJob): Promise<UnpackReport> {
  try {
    dropRights(job.user);
    process.umask(0);
    return { layer: await unpackLayer(BLOB, job) };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return {
      error: { code: error.code, message: error.message, limit: error.details?.limit === "bytes" ? "bytes" : null },
    };
  }
}

writeSync(REPORT, JSON.stringify(await run(JSON.parse(process.argv[2] ?? "") as UnpackJob)));
closeSync(REPORT);
