import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("ARCHITECTURE.md", ROOT), "utf8");

it("ARCHITECTURE.md names only files that exist, and answers at least twenty questions", () => {
  const named = [...page.matchAll(/`((?:src|test|bench|docs|deploy)\/[A-Za-z0-9._/-]+)`/g)].map(
    (match) => match[1] ?? "",
  );
  expect(named.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  expect(page.match(/^\| .+\? \| `/gm)?.length ?? 0).toBeGreaterThanOrEqual(20);
});

it("ARCHITECTURE.md has a row for every room", () => {
  const rooms = readdirSync(new URL("src", ROOT)).map((name) =>
    name.endsWith(".ts") ? `src/${name}` : `src/${name}/`,
  );
  expect(rooms.filter((room) => !page.includes(`| \`${room}\` |`))).toEqual([]);
});

it("numbers each decision once, in its file's name and its title", () => {
  const folder = new URL("../../docs/decisions/", import.meta.url);
  const files = readdirSync(folder).toSorted();
  expect(files.map((file) => file.slice(0, 4))).toEqual(files.map((_, n) => String(n + 1).padStart(4, "0")));
  const wrong = files.filter(
    (file) => !readFileSync(new URL(file, folder), "utf8").startsWith(`# ${file.slice(0, 4)}`),
  );
  expect(wrong).toEqual([]);
});
