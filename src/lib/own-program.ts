import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** A module that is a program or a thread of its own: `.ts` when Node strips types, `.js` in the built package.
 *  @param path without its ending, relative to the module @param from that module's `import.meta.url` */
export function ownProgram(path: string, from: string): URL {
  return new URL(`${path}.${from.endsWith(".ts") ? "ts" : "js"}`, from);
}

/** A thread or child has the compile cache of this process only when its environment says so; without it each start strips the types of its files
 *  anew, for which Node loads a WebAssembly program (30 MB; 0.1 to 0.2 s). */
export function compileCache(): { readonly NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** @param path and @param from as in `ownProgram` */
export function startThread(path: string, from: string, options: WorkerOptions = {}): Worker {
  return new Worker(ownProgram(path, from), { ...options, env: { ...process.env, ...compileCache() } });
}
