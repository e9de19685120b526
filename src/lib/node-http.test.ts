import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

/** Whether a new process has loaded Node's HTTP client for `fetch` and `WebSocket` after `program`. */
function loadsUndici(program: string): boolean {
  const after = `${program}; console.log(process.moduleLoadList.some((name) => name.includes("undici")));`;
  const stdout = execFileSync(process.execPath, ["--input-type=module", "--eval", after], { encoding: "utf8" });
  return stdout.trim() === "true";
}

it("gives a server without what an import of node:http brings along", () => {
  const module = JSON.stringify(new URL("./node-http.ts", import.meta.url));
  expect(loadsUndici(`const { createServer } = await import(${module}); createServer()`)).toBe(false);
  expect(loadsUndici(`await import("node:http")`)).toBe(true);
});
