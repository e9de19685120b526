import { chmod, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeContexts } from "./contexts.ts";
import { parseEndpoint } from "./endpoint.ts";
import { findTarget } from "./target.ts";
import { fakeIo } from "./testing/fake-io.ts";
import { testFolder } from "./testing/folder.ts";

async function machine(env: Record<string, string> = {}) {
  const folder = await testFolder();
  const data = join(folder, "sluice-data");
  await mkdir(data, { mode: 0o710 });
  await writeFile(join(data, "server.json"), JSON.stringify({ api: "http://127.0.0.1:8080", pid: 1 }), { mode: 0o600 });
  await writeFile(join(data, "admin.json"), JSON.stringify({ user: "admin", password: "local" }), { mode: 0o600 });
  const io = fakeIo({ home: join(folder, "home"), cwd: folder, env });
  return { io, data, folder };
}

const LAB = { endpoint: "https://lab.example", credentials: { kind: "basic", user: "ada", password: "lab" } } as const;

describe("where the server is", () => {
  it("is what the data directory here says, when nothing else does", async () => {
    const { io } = await machine();
    expect(await findTarget({}, io)).toEqual({
      endpoint: "http://127.0.0.1:8080",
      credentials: { kind: "basic", user: "admin", password: "local" },
      from: "data",
      name: "./sluice-data",
    });
  });

  it("is the current context before the data directory, the environment before it, and flags before all", async () => {
    const { io } = await machine();
    await writeContexts(io, { current: "lab", all: new Map([["lab", LAB]]) });
    expect(await findTarget({}, io)).toMatchObject({ ...LAB, from: "context", name: "lab" });
    const env = {
      SLUICE_ENDPOINT: "http://env:1",
      SLUICE_TOKEN: "tok",
      SLUICE_ADMIN_USER: "u",
      SLUICE_ADMIN_PASSWORD: "p",
    };
    expect(await findTarget({}, { ...io, env })).toEqual({
      endpoint: "http://env:1",
      credentials: { kind: "bearer", token: "tok" },
      from: "environment",
      name: null,
    });
    const flags = { endpoint: "flag:2/", user: "f", password: "w" };
    expect(await findTarget(flags, { ...io, env })).toMatchObject({
      endpoint: "http://flag:2",
      credentials: { kind: "basic", user: "f", password: "w" },
    });
  });

  it("never sends the credentials of one server to another", async () => {
    const { io } = await machine();
    await writeContexts(io, { current: "lab", all: new Map([["lab", LAB]]) });
    expect((await findTarget({ endpoint: "http://other" }, io)).credentials).toEqual({ kind: "none" });
    expect((await findTarget({ endpoint: "https://lab.example" }, io)).credentials).toEqual(LAB.credentials);
    expect(await findTarget({ token: "mine" }, io)).toMatchObject({
      endpoint: LAB.endpoint,
      credentials: { kind: "bearer", token: "mine" },
    });
  });

  it("takes credentials of the data directory's server from the environment first, as the server does", async () => {
    const { io } = await machine({ SLUICE_ADMIN_PASSWORD: "given" });
    expect((await findTarget({}, io)).credentials).toEqual({ kind: "basic", user: "admin", password: "given" });
  });

  it.each([
    [{ endpoint: "http://x", context: "lab" }, "one of --endpoint, --context and --data"],
    [{ token: "t", user: "u" }, "--token or --user, not both"],
    [{ password: "p" }, "give --user too"],
    [{ user: "u" }, "there is no terminal"],
    [{ context: "nope" }, "none of that name"],
    [{ data: "elsewhere" }, 'none runs on "elsewhere"'],
  ])("%j is refused", async (flags, sentence) => {
    const { io } = await machine();
    await expect(findTarget(flags, io)).rejects.toThrow(sentence);
  });

  it("is not taken from a folder or file that somebody else could have written", async () => {
    const { io, data, folder } = await machine();
    await chmod(join(data, "admin.json"), 0o640);
    await expect(findTarget({}, io)).rejects.toMatchObject({
      code: "FORBIDDEN",
      message: expect.stringContaining("chmod 600"),
    });
    await chmod(join(data, "admin.json"), 0o600);
    await rename(data, join(folder, "real"));
    await symlink("real", data);
    await expect(findTarget({}, io)).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("npx sluice up"),
    });
  });

  it("is unknown when a file is broken, with what to do", async () => {
    const { io, data } = await machine();
    await writeFile(join(data, "server.json"), "{", { mode: 0o600 });
    await expect(findTarget({}, io)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("restart the server"),
    });
  });
});

describe("parseEndpoint", () => {
  it.each([
    ["localhost:8080", "http://localhost:8080"],
    ["https://lab.example/sluice/", "https://lab.example/sluice"],
    ["http://[::1]:8080", "http://[::1]:8080"],
  ])("%s", (text, whole) => expect(parseEndpoint(text)).toBe(whole));

  it.each(["", "ftp://x", "http://", "http://u:p@x", "http://a b"])("refuses %j", (text) => {
    expect(() => parseEndpoint(text)).toThrow("Cannot use");
  });
});
