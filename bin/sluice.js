#!/usr/bin/env node
// Starts the CLI: from TypeScript source in a checkout (types are stripped and the result cached), from dist/ in an installed package.
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(
    `sluice: NODE_TOO_OLD: Node ${process.versions.node} is too old: Sluice needs Node 24; in Sluice's own folder "npx sluice" brings it\n`,
  );
  process.exit(2);
}
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const isServer = process.argv[2] === "up";
// Left alone, V8 lets its young generation grow from 2 to 134 MB under load, and collects the old one only when it holds three to four times what is alive.
// A server gains little from that (docs/decisions/0011-memory.md).
const serverMemory = "--semi-space-growth-factor=1 --heap-growing-percent=50";
if (isServer) setFlagsFromString(serverMemory);
// What is in the cache is run: it lies beside the program, where only those who may change the program can write, not in a folder for all.
module.enableCompileCache(at(".cache/compile"));
const source = at("src");
const fromSource = existsSync(source);
if (isServer && fromSource) (await import("./strip-ahead.js")).stripAhead(source, serverMemory);
const { main } = await import(fromSource ? "../src/cli/index.ts" : "../dist/cli/index.js");
process.exitCode = await main(process.argv.slice(2));
