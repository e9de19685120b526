import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cleanEnv, newFolder, type RunningServer, runCli, startServer } from "../support/server.ts";

/** What people name by mistake: devices, pipes, huge files, ports that are taken, folders of others. */

let server: RunningServer;
let folder: string;
beforeAll(async () => {
  server = await startServer();
  folder = await newFolder("odd-files");
  await server.cli(["mb", "box"]);
  writeFileSync(join(folder, "file"), "text");
  expect((await server.cli(["put", join(folder, "file"), "box/file"])).code).toBe(0);
});
afterAll(() => server?.stop());

describe("get", () => {
  it("never puts a file in the place of a device or pipe", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const target of [join(folder, "pipe"), "/dev/null"]) {
      const { code, stderr } = await server.cli(["get", "box/file", target]);
      expect([code, stderr]).toEqual([2, expect.stringContaining("it is a device, pipe or socket")]);
      expect(statSync(target).isFile()).toBe(false);
    }
  });

  it("writes what a link leads to", async () => {
    writeFileSync(join(folder, "real"), "old");
    symlinkSync("real", join(folder, "link"));
    expect((await server.cli(["get", "box/file", join(folder, "link")])).code).toBe(0);
    expect([lstatSync(join(folder, "link")).isSymbolicLink(), readFileSync(join(folder, "real"), "utf8")]).toEqual([
      true,
      "text",
    ]);
  });
});

describe("apply", () => {
  const definition = (script: string): string => {
    const path = join(folder, "odd.yaml");
    writeFileSync(path, `functions: {oscar: [{local: {name: odd, image: host, script: "${script}"}}]}\n`);
    return path;
  };

  it.each([
    ["a pipe", "pipe"],
    ["a device", "/dev/zero"],
  ])("of a script that is %s says so, and does not wait", async (_what, script) => {
    if (!existsSync(join(folder, "pipe"))) execFileSync("mkfifo", [join(folder, "pipe")]);
    const { code, stderr } = await server.cli(["apply", definition(script)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("it is a device, pipe or socket")]);
  });

  it("of a script or file of gigabytes reads no more than its limit", async () => {
    writeFileSync(join(folder, "huge"), "x");
    truncateSync(join(folder, "huge"), 3 * 1024 ** 3);
    for (const file of [definition("huge"), join(folder, "huge")]) {
      const { code, stderr } = await server.cli(["apply", file]);
      expect([code, stderr]).toEqual([2, expect.stringContaining("FDL_INVALID")]);
    }
  });
});

it("an empty argument is no path", async () => {
  for (const args of [
    ["get", "box/file", ""],
    ["apply", ""],
    ["backup", ""],
    ["jobs", "cancel", ""],
  ]) {
    const { code, stderr } = await server.cli(args);
    expect([code, stderr], args.join(" ")).toEqual([2, expect.stringContaining("an argument is empty")]);
  }
});

it("a service with a slip in its name is no empty list", async () => {
  for (const args of [
    ["jobs", "hllo"],
    ["jobs", "wait", "--all", "hllo"],
  ]) {
    const { code, stderr } = await server.cli(args);
    expect([code, stderr], args.join(" ")).toEqual([1, expect.stringContaining("SERVICE_UNKNOWN")]);
  }
});

it("services are removed on the server of a directory, which is never taken for one of them", async () => {
  const data = ["--data", server.data];
  writeFileSync(join(folder, "s.sh"), "true\n");
  writeFileSync(join(folder, "s.yaml"), "functions: {oscar: [{local: {name: gone, image: host, script: s.sh}}]}\n");
  const env = cleanEnv();
  expect((await runCli(["apply", join(folder, "s.yaml"), ...data], env)).code).toBe(0);
  const wrong = await runCli(["services", "rm", "gone", ...data], env);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("sluice services --data DIR rm NAME")]);
  expect((await runCli(["services", ...data, "rm", "gone"], env)).stdout).toContain("Removed the service gone");
});

it.runIf(process.geteuid?.() === 0)("a data directory of another user is told as that", async () => {
  const other = join(folder, "other");
  mkdirSync(other);
  execFileSync("chown", ["12345", other]);
  const { code, stderr } = await runCli(["jobs", "--data", other], cleanEnv());
  expect([code, stderr]).toEqual([3, expect.stringContaining("no folder of this user or root")]);
});

describe("up", () => {
  const up = (...more: string[]) =>
    runCli(["up", "--data", join(folder, "up"), "--port", "0", "--s3-port", "0", ...more], cleanEnv());

  it("says which address cannot be had, and which flag chooses another", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const port = String((taken.address() as AddressInfo).port);
    try {
      for (const [flags, cure] of [
        [["--port", port], "choose another with --port"],
        [["--s3-port", port], "choose another with --s3-port"],
        [["--host", "192.0.2.1"], "choose another with --host"],
        [["--host", "no-such-host.invalid"], "choose another with --host"],
      ] as const) {
        const { code, stderr } = await up(...flags);
        expect([code, stderr], cure).toEqual([2, expect.stringMatching(/CONFIG_INVALID: Cannot listen on/)]);
        expect(stderr).toContain(cure);
      }
    } finally {
      taken.close();
    }
  });
});
