import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Contexts, checkContextName, contextsFile, readContexts, writeContexts } from "./contexts.ts";
import { main } from "./index.ts";
import { fakeIo } from "./testing/fake-io.ts";
import { testFolder } from "./testing/folder.ts";

const LAB: Contexts = {
  current: "lab",
  all: new Map([
    ["lab", { endpoint: "https://lab.example", credentials: { kind: "basic", user: "ada", password: "p: #'\"☃" } }],
    ["ci", { endpoint: "http://127.0.0.1:8080", credentials: { kind: "bearer", token: "t0" } }],
    ["open", { endpoint: "http://127.0.0.1:8081", credentials: { kind: "none" } }],
  ]),
};

describe("the file of contexts", () => {
  it("is read as it was written, and only its owner can read it", async () => {
    const home = await testFolder();
    expect(await readContexts({ home })).toEqual({ current: null, all: new Map() });
    await writeContexts({ home }, LAB);
    expect(await readContexts({ home })).toEqual(LAB);
    const file = contextsFile({ home });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
    expect(await readdir(dirname(file))).toEqual(["config.yaml"]);
  });

  it("becomes private again when it is replaced", async () => {
    const home = await testFolder();
    await writeContexts({ home }, LAB);
    await chmod(contextsFile({ home }), 0o644);
    await expect(readContexts({ home })).rejects.toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringContaining("chmod 600"),
    });
    await writeContexts({ home }, LAB);
    expect(await readContexts({ home })).toEqual(LAB);
  });

  it("is not followed as a link", async () => {
    const home = await testFolder();
    await mkdir(join(home, ".config/sluice"), { recursive: true });
    await writeFile(join(home, "elsewhere"), "current: x\n", { mode: 0o600 });
    await symlink(join(home, "elsewhere"), contextsFile({ home }));
    await expect(readContexts({ home })).rejects.toThrow("symbolic link");
  });

  it.each([
    ["[]", "the file must be a mapping"],
    ["contexts: 3", "contexts must be a mapping"],
    ["contexts: {lab: {user: x}}", "contexts.lab.endpoint must be a text"],
    ["contexts: {lab: {endpoint: http://x, user: x}}", "contexts.lab.password must be a text"],
    ["a: [", "config.yaml"],
  ])("says what is wrong in %j", async (text, sentence) => {
    const home = await testFolder();
    await mkdir(join(home, ".config/sluice"), { recursive: true });
    await writeFile(contextsFile({ home }), text, { mode: 0o600 });
    await expect(readContexts({ home })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(sentence),
    });
  });

  it("takes names that cannot be mistaken", () => {
    for (const name of ["lab", "lab-2.eu"]) expect(() => checkContextName(name)).not.toThrow();
    for (const name of ["", "-x", "a b", "a/b", "local", "default-cluster"])
      expect(() => checkContextName(name)).toThrow("context name");
  });
});

describe("sluice context", () => {
  it("lists without secrets, chooses and forgets", async () => {
    const home = await testFolder();
    await writeContexts({ home }, LAB);
    const run = async (...argv: string[]) => {
      const io = fakeIo({ home });
      return { code: await main(["context", ...argv], io), ...io.written() };
    };
    const listed = await run("list", "-o", "json");
    expect(JSON.parse(listed.out)).toMatchObject([
      { name: "lab", user: "ada", current: true },
      { name: "ci" },
      { name: "open" },
    ]);
    expect(listed.out).not.toMatch(/t0|☃/);
    expect((await run()).out).toMatch(/^\* {2}lab /m);
    expect((await run("list", "-o", "name")).out).toBe("lab\nci\nopen\n");
    expect(await run("use", "ci")).toMatchObject({ code: 0 });
    expect((await readContexts({ home })).current).toBe("ci");
    expect((await run("rm", "ci")).out).toContain("no context is current now");
    expect((await readContexts({ home })).current).toBeNull();
    expect(await run("use", "lba")).toMatchObject({ code: 2, err: expect.stringContaining('did you mean "lab"?') });
    expect(await readFile(contextsFile({ home }), "utf8")).not.toContain("t0");
  });
});
