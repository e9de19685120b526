import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadAdmin, readAdmin, resetAdmin } from "./admin-file.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-admin-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const file = (): string => join(dir, "admin.json");
const write = (text: string): void => writeFileSync(file(), text, { mode: 0o600 });
const GOOD = JSON.stringify({ user: "ada", password: "correct horse", access_key: "AKADA", secret_key: "0123456789" });

it("makes strong credentials once, readable by the server alone", () => {
  const made = loadAdmin(dir);
  expect(made).toMatchObject({ user: "admin" });
  expect(made.password).toMatch(/^[A-Za-z0-9]{24}$/);
  expect(made.accessKey).toMatch(/^[A-Z0-9]{20}$/);
  expect(made.secretKey).toMatch(/^[A-Za-z0-9]{40}$/);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(loadAdmin(dir)).toEqual(made);
  expect(readdirSync(dir)).toEqual(["admin.json"]);
});

it("lets the environment override, without writing it down", () => {
  write(GOOD);
  expect(loadAdmin(dir, { password: "from-environment" })).toMatchObject({
    user: "ada",
    password: "from-environment",
    accessKey: "AKADA",
  });
  expect(readFileSync(file(), "utf8")).not.toContain("from-environment");
  rmSync(file());
  loadAdmin(dir, { user: "u", password: "p", accessKey: "a", secretKey: "s" });
  expect(readAdmin(dir)).toBeNull();
});

it("resets all four", () => {
  const before = loadAdmin(dir);
  const after = resetAdmin(dir);
  expect(after.password).not.toBe(before.password);
  expect(after.secretKey).not.toBe(before.secretKey);
  expect(readAdmin(dir)).toEqual(after);
});

it.each([
  ["no JSON", "{", /no JSON/],
  ["a missing field", JSON.stringify({ user: "x" }), /password/],
  ["an unknown field", GOOD.replace("}", ',"role":"x"}'), /role/],
  ["a colon in the user name", GOOD.replace("ada", "a:da"), /colon/],
])("refuses %s and says what to do", (_, text, says) => {
  write(text);
  expect(() => loadAdmin(dir)).toThrowError(
    expect.objectContaining({ code: "DATA_DIR_INVALID", message: expect.stringMatching(says) }),
  );
});

it("refuses a file that others can read, that somebody else owns, or that is a link", () => {
  write(GOOD);
  chmodSync(file(), 0o640);
  expect(() => loadAdmin(dir)).toThrowError(/other users can read/);
  chmodSync(file(), 0o600);
  if (process.getuid?.() === 0) {
    chownSync(file(), 12345, 0);
    expect(() => loadAdmin(dir)).toThrowError(/belongs to user 12345/);
  }
  rmSync(file());
  symlinkSync("/etc/passwd", file());
  expect(() => loadAdmin(dir)).toThrowError(/cannot be opened/);
  for (const make of [mkdirSync, (path: string) => execFileSync("mkfifo", [path])]) {
    rmSync(file(), { recursive: true });
    make(file());
    expect(() => loadAdmin(dir)).toThrowError(/no regular file/);
  }
});
