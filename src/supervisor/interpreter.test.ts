import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isHostProgram, scriptCommand } from "./interpreter.ts";

const known = (program: string): boolean => program.startsWith("/usr/bin/");

describe("scriptCommand", () => {
  it.each([
    ["echo\n", ["/bin/sh", "/s"]],
    ["# not a line for the kernel\n#!/usr/bin/perl\n", ["/bin/sh", "/s"]],
    ["#!/usr/bin/python3\n", ["/usr/bin/python3", "/s"]],
    ["#! /usr/bin/env python3\nprint()", ["/usr/bin/env", "python3", "/s"]],
    ["#!/usr/bin/env -S python3 -u  \n", ["/usr/bin/env", "-S python3 -u", "/s"]],
    ["#!/usr/bin/bash\r\necho\r\n", ["/usr/bin/bash", "/s"]],
    ["#!\n", ["/bin/sh", "/s"]],
  ])("runs %j by %j", (script, argv) => {
    expect(scriptCommand(script, "/s", known)).toEqual({ argv, warning: null });
  });

  it("falls back to /bin/sh with a warning when the interpreter is not there", () => {
    const { argv, warning } = scriptCommand("#!/opt/julia/bin/julia -q\n", "/s", known);
    expect(argv).toEqual(["/bin/sh", "/s"]);
    expect(warning).toBe('the script asks for "/opt/julia/bin/julia", which the image does not have: /bin/sh runs it');
  });
});

describe("isHostProgram", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-programs-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("knows what the sandbox shows and can execute", () => {
    expect(isHostProgram("/bin/sh")).toBe(true);
    expect(isHostProgram("/usr/bin/env")).toBe(true);
    expect(isHostProgram("/usr/bin/no-such-program")).toBe(false);
    expect(isHostProgram("/usr/bin")).toBe(false);
    expect(isHostProgram("/usr/bin/../../home/me/sh")).toBe(false);
    expect(isHostProgram("sh")).toBe(false);
  });

  it("takes other places only where the configuration shows them, links resolved", () => {
    writeFileSync(join(folder, "tool"), "", { mode: 0o755 });
    writeFileSync(join(folder, "data"), "", { mode: 0o644 });
    symlinkSync("/etc/passwd", join(folder, "link"));
    expect(isHostProgram(join(folder, "tool"))).toBe(false);
    expect(isHostProgram(join(folder, "tool"), [folder])).toBe(true);
    expect(isHostProgram(join(folder, "data"), [folder])).toBe(false);
    expect(isHostProgram(join(folder, "link"), [folder])).toBe(false);
  });
});
