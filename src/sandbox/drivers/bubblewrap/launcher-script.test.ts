import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { LAUNCHER_SCRIPT, quote, runFileText } from "./launcher-script.ts";

const HOSTILE = [
  "plain",
  "",
  "two words",
  "it's",
  "$(touch /tmp/owned)",
  "`id`",
  "new\nline",
  "back\\slash",
  '"',
  "*",
  "-n",
  "é\u{1f600}",
  "'; exit 9; '",
];
const SHELLS = ["dash", "bash", "busybox"].filter((name) => existsSync(`/bin/${name}`));

test.each(SHELLS)("%s takes every quoted word as it is", (shell) => {
  const argv = shell === "busybox" ? ["busybox", "sh"] : [shell];
  const script = `printf '%s\\0' ${HOSTILE.map(quote).join(" ")}`;
  const [program = "", ...rest] = argv;
  expect(
    execFileSync(program, [...rest, "-c", script])
      .toString()
      .split("\0")
      .slice(0, -1),
  ).toEqual(HOSTILE);
});

test.each(SHELLS)("%s understands the launcher and the run file", (shell) => {
  const argv = shell === "busybox" ? ["busybox", "sh"] : [shell];
  const run = runFileText({
    makeRoot: "",
    bwrapPath: "/usr/bin/bwrap",
    callFilter: "/run/filter",
    argv: HOSTILE,
    fileBytes: 1000,
    processes: 12,
    separateStdout: true,
  });
  const [program = "", ...rest] = argv;
  for (const text of [LAUNCHER_SCRIPT, run])
    expect(() => execFileSync(program, [...rest, "-n", "-c", text])).not.toThrow();
});

test("limits are set before bubblewrap starts, in the shell's units", () => {
  const text = runFileText({
    makeRoot: "",
    bwrapPath: "/usr/bin/bwrap",
    callFilter: "/run/filter",
    argv: ["true"],
    fileBytes: 1_000_000,
    processes: null,
    separateStdout: false,
  });
  expect(text).toContain("ulimit -f 1954 ");
  expect(text).not.toContain("ulimit -u");
  expect(text.indexOf("ulimit -f")).toBeLessThan(text.indexOf("exec '/usr/bin/bwrap'"));
  expect(text).toContain('>"$d/out" 2>&1');
});
