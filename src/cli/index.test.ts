import { describe, expect, it } from "vitest";
import { COMMANDS } from "./commands.ts";
import { main } from "./index.ts";
import { fakeIo } from "./testing/fake-io.ts";

async function sluice(...argv: string[]) {
  const io = fakeIo();
  return { code: await main(argv, io), ...io.written() };
}

describe("main", () => {
  it("prints the version", async () => {
    expect(await sluice("--version")).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect((await sluice("version")).out).toBe((await sluice("--version")).out);
  });

  it("shows every command in the overview", async () => {
    const { code, out } = await sluice("--help");
    expect(code).toBe(0);
    for (const name of Object.keys(COMMANDS)) expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  it("answers a call without a command with the overview on stderr", async () => {
    expect(await sluice()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("Usage: sluice COMMAND") });
  });

  it("suggests the command that was meant", async () => {
    const { code, err } = await sluice("stauts");
    expect(code).toBe(2);
    expect(err).toMatch(/^sluice: USAGE: Cannot run "stauts": .*did you mean "status"\?/);
  });

  it("finds the command behind server flags with and without values of their own", async () => {
    expect((await sluice("--endpoint", "http://x", "version")).err).toContain('no flag "--endpoint"');
    expect((await sluice("--endpoint=http://x", "version")).err).toContain('no flag "--endpoint"');
  });

  it.each(["toString", "__proto__", "constructor"])("takes %s for no command", async (name) => {
    expect(await sluice(name)).toMatchObject({ code: 2, err: expect.stringContaining("USAGE") });
  });
});

describe.each(Object.keys(COMMANDS))("sluice %s", (name) => {
  it("has complete help", async () => {
    const { code, out } = await sluice(name, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`Usage: sluice ${name}`);
    expect(out).toMatch(/Examples:\n {2}sluice /);
    expect((await sluice("help", name)).out).toBe(out);
  });

  it("refuses an unknown flag with the way to help", async () => {
    const { code, err } = await sluice(name, "--no-such-flag");
    expect(code).toBe(2);
    expect(err).toContain(`"--no-such-flag" (see: sluice ${name} --help)`);
  });

  it("says the same in the table and in its file", async () => {
    const entry = Object.entries(COMMANDS).find(([each]) => each === name)?.[1];
    const loaded = await entry?.load();
    expect(loaded?.command).toMatchObject({ name, summary: entry?.summary });
    expect(loaded?.command.usage.every((usage) => usage.split(" ")[0] === name)).toBe(true);
  });
});
