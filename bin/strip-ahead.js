// Node strips types with a WebAssembly program, which leaves 40 MB in the process that ran it. The server of a checkout must not carry that for as long
// as it runs, so a process of its own strips whatever changed, and the server finds the result in the compile cache.
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { enableCompileCache, getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

/** Fills the compile cache of this process with the source files, unless that was done since the last of them changed.
 *  A file that cannot be loaded is left out: who imports it will say what is wrong with it. */
export function stripAhead(source, flags) {
  const cache = getCompileCacheDir();
  if (cache === undefined) return;
  const stamp = join(cache, "stripped");
  const strippedAt = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sourceFiles(source).every((file) => statSync(file).ctimeMs < strippedAt)) return;
  const argv = [fileURLToPath(import.meta.url), source, dirname(cache), flags];
  if (spawnSync(process.execPath, argv, { stdio: "ignore" }).status === 0) writeFileSync(stamp, "");
}

function sourceFiles(source) {
  return readdirSync(source, { recursive: true })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.includes("testing/"))
    .map((name) => join(source, name));
}

if (import.meta.main) {
  const [source, cache, flags] = process.argv.slice(2);
  // The cache of one set of V8's flags is not valid for another.
  setFlagsFromString(flags);
  enableCompileCache(cache);
  await Promise.allSettled(sourceFiles(source).map((file) => import(file)));
}
