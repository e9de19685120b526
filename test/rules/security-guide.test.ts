import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";

const SUITE = new URL("../../src/sandbox/drivers/bubblewrap/escapes.test.ts", import.meta.url);
const GUIDE = new URL("../../docs/guides/security.md", import.meta.url);
const LIST = /(<!-- attempts:[^\n]*-->\n)[\s\S]*(<!-- \/attempts -->)/;

/** The attempts of the escape suite by the names of their tests. */
function attempts(): string[] {
  const text = readFileSync(SUITE, "utf8");
  const single = [...text.matchAll(/^ {4}test\("([^"]+)"/gm)].map(([, name = ""], index) => ({ name, index }));
  expect(single.length).toBeGreaterThan(10);
  const tables = [...text.matchAll(/^ {4}test\.each\((\[[\s\S]*?\])\)\(\s*"([^"]+)"/gm)];
  const many = tables.flatMap(([, rows = "", template = ""]) =>
    firsts(rows).map((value) => template.replace("%s", value)),
  );
  return [...single.map(({ name }) => name), ...many].map((name) => name.replaceAll(/\$\{[^}]*\}/g, "…"));
}

/** The first text of each row of a table, or each row that is a text. */
function firsts(rows: string): string[] {
  const isTable = /^\[\s*\[/.test(rows);
  const row = isTable ? /\[\s*["`]([^"`]+)["`]\s*,/g : /["`]([^"`]+)["`]/g;
  return [...rows.matchAll(row)].map(([, text = ""]) => text);
}

test("docs/guides/security.md lists every attempt of the escape suite (UPDATE_DOCS=1 writes them)", () => {
  const all = attempts();
  expect(all.length).toBeGreaterThanOrEqual(40);
  expect(new Set(all).size).toBe(all.length);
  const page = readFileSync(GUIDE, "utf8");
  const list = `\n${all.map((name) => `- ${name}`).join("\n")}\n`;
  const current = page.replace(LIST, (_, start: string, end: string) => `${start}${list}\n${end}`);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(GUIDE, current);
  expect(page, "run it again with UPDATE_DOCS=1").toBe(current);
  expect(page).toMatch(LIST);
});
