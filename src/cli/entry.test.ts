import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const SOURCE = resolve(import.meta.dirname, "..");

/** What a file imports at once; `import()` and types load nothing. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8").replaceAll(/import type [^;]+;/g, "");
  return [...text.matchAll(/^(?:import|export)[^;]*?from "([^"]+)";/gm)].map((match) => match[1] ?? "");
}

it("sluice --version loads a handful of small files and no package", () => {
  const loaded = new Set<string>();
  const packages = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const target of importsOf(file)) {
      if (target.startsWith(".")) load(resolve(dirname(file), target));
      else if (!target.startsWith("node:")) packages.add(target);
    }
  };
  load(resolve(SOURCE, "cli/index.ts"));
  expect([...packages]).toEqual([]);
  expect([...loaded].map((file) => relative(SOURCE, file)).toSorted()).toEqual([
    "cli/commands.ts",
    "cli/failure.ts",
    "cli/index.ts",
    "cli/io.ts",
    "cli/run-command.ts",
    "cli/server-options.ts",
    "cli/version.ts",
    "core/errors.ts",
    "lib/nearest.ts",
  ]);
});
