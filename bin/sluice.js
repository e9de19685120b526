#!/usr/bin/env node
// Starts the CLI: from TypeScript source in a checkout (types are stripped and the result cached), from dist/ in an installed package.
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(
    `sluice: NODE_TOO_OLD: Node ${process.versions.node} is too old: Sluice needs Node 24; run it with "npx sluice"\n`,
  );
  process.exit(2);
}
enableCompileCache();
const source = new URL("../src/cli/index.ts", import.meta.url);
const built = new URL("../dist/cli/index.js", import.meta.url);
const { main } = await import(existsSync(fileURLToPath(source)) ? source.href : built.href);
process.exitCode = await main(process.argv.slice(2));
