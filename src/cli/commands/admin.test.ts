import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { acquireDirLock } from "../../state/dir-lock.ts";
import { main } from "../index.ts";
import { fakeIo } from "../testing/fake-io.ts";
import { testFolder } from "../testing/folder.ts";

async function reset(data: string, env: Record<string, string> = {}) {
  const io = fakeIo({ env });
  return { code: await main(["admin", "reset", "--data", data], io), ...io.written() };
}

it("sluice admin reset replaces the credentials and does not show them", async () => {
  const data = await testFolder();
  await writeFile(join(data, "VERSION"), "1");
  await writeFile(join(data, "admin.json"), '{"user":"admin","password":"old"}', { mode: 0o600 });
  const { code, out, err } = await reset(data, { SLUICE_SECRET_KEY: "mine" });
  expect(code).toBe(0);
  const made = JSON.parse(await readFile(join(data, "admin.json"), "utf8"));
  expect(made.password).not.toBe("old");
  expect((await stat(join(data, "admin.json"))).mode & 0o777).toBe(0o600);
  expect(out).toContain("admin.json");
  expect(out).not.toContain(made.password);
  expect(err).toContain("SLUICE_SECRET_KEY is set here");
});

it("sluice admin reset refuses a folder that is none of ours, and one whose server runs", async () => {
  const data = await testFolder();
  expect(await reset(data)).toMatchObject({ code: 1, err: expect.stringContaining("no data directory of Sluice") });
  await writeFile(join(data, "VERSION"), "1");
  const lock = await acquireDirLock(data, 0);
  expect(await reset(data)).toMatchObject({ code: 1, err: expect.stringContaining(`process ${process.pid} uses it`) });
  lock.release();
  expect((await reset(data)).code).toBe(0);
});

it("sluice admin knows one verb", async () => {
  const io = fakeIo();
  expect(await main(["admin", "rest"], io)).toBe(2);
  expect(io.written().err).toContain("say reset");
});
