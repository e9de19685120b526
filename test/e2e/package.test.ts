import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MEGABYTE, residentBytes } from "../support/process-memory.ts";
import { cleanEnv, newFolder, type RunningServer, startServer } from "../support/server.ts";
import { applyServices, settled } from "../support/workflow.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const { version, dependencies }: { version: string; dependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
);
/** What the project promises of a server without work. */
const IDLE_MEGABYTES = 120;

let folder = "";
beforeAll(async () => {
  folder = await newFolder("package");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Its own Node first, as npm does it. */
const env = { ...cleanEnv(), PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const run = (program: string, args: readonly string[], cwd = folder): string =>
  execFileSync(program, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

describe("the package, installed where there is no source", () => {
  let installed = "";
  let server: RunningServer;

  /** What `npm install TARBALL` does, without a registry: the packages that the tarball asks for are taken from here. */
  beforeAll(async () => {
    const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], ROOT));
    const modules = join(folder, "app", "node_modules");
    installed = join(modules, "sluice");
    mkdirSync(join(modules, ".bin"), { recursive: true });
    run("tar", ["-xzf", packed.filename]);
    cpSync(join(folder, "package"), installed, { recursive: true });
    for (const name of Object.keys(dependencies)) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
    symlinkSync("../sluice/bin/sluice.js", join(modules, ".bin", "sluice"));
    server = await startServer({ bin: join(installed, "bin", "sluice.js") });
  });
  afterAll(async () => {
    expect(await server?.stop()).toBe(0);
  });

  it("answers by npx", () => {
    expect(run("npx", ["--no-install", "sluice", "--version"], join(folder, "app")).trim()).toBe(version);
  });

  it("holds the program and nothing of its tests", () => {
    const files = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
    expect(files.filter((name) => /\.test\.|testing\/|\.ts$/.test(name))).toEqual([]);
    expect(files).toContain("state/drivers/sqlite/worker.js");
    expect(existsSync(join(installed, "src"))).toBe(false);
  });

  it("loads every file with what it asks for and no more", () => {
    const program = `
      import { readdirSync } from "node:fs";
      const files = readdirSync(process.argv[1], { recursive: true }).filter((name) => name.endsWith(".js"));
      const programs = ["sqlite/worker.js", "images/unpack.js", "images/remove-folders.js"];
      const modules = files.filter((name) => !programs.some((program) => name.endsWith(program)));
      for (const name of modules) await import(process.argv[1] + "/" + name);
      console.log(files.length);`;
    const loaded = run(process.execPath, ["--input-type=module", "--eval", program, join(installed, "dist")]);
    expect(Number(loaded)).toBeGreaterThan(100);
  });

  it("runs a job on a file", async () => {
    const script = 'tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME"\n';
    await applyServices(server, [{ name: "loud", script, input: "work/in", output: "work/out" }]);
    writeFileSync(join(folder, "hello.txt"), "hello\n");
    expect(await server.cli(["put", join(folder, "hello.txt"), "work/in/"])).toMatchObject({ code: 0 });
    expect((await settled(server)).map((job) => job.state)).toEqual(["SUCCEEDED"]);
    expect(await server.cli(["get", "work/out/hello.txt", folder])).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, "hello.txt"), "utf8")).toBe("HELLO\n");
  });
});

describe(`a server without work stays below ${IDLE_MEGABYTES} MB`, () => {
  const most = async (bin: string): Promise<number> => {
    const server = await startServer({ bin });
    const bytes = await residentBytes(server.pid, "VmHWM");
    await server.stop();
    return bytes / MEGABYTE;
  };

  it("when it is installed", async () => {
    expect(await most(join(folder, "app", "node_modules", "sluice", "bin", "sluice.js"))).toBeLessThan(IDLE_MEGABYTES);
  });

  it("in a checkout, the first time and later", async () => {
    const checkout = join(folder, "checkout");
    for (const name of ["bin", "src", "package.json"]) {
      cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
    const bin = join(checkout, "bin", "sluice.js");
    expect(await most(bin)).toBeLessThan(IDLE_MEGABYTES);
    expect(existsSync(join(checkout, ".cache"))).toBe(true);
    expect(await most(bin)).toBeLessThan(IDLE_MEGABYTES);
  });
});
