import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FIELDS, type Field } from "./fields.ts";

const PAGE = new URL("../../docs/reference/config.md", import.meta.url);
const TABLE = /(<!-- fields:[^\n]*-->\n)[\s\S]*(<!-- \/fields -->)/;

function table(): string {
  const head = "| field | environment | value | default | meaning |\n|---|---|---|---|---|";
  return `\n${[head, ...FIELDS.map((field) => `| ${cells(field).join(" | ")} |`)].join("\n")}\n`;
}

function cells({ name, env, envOnly, facts }: Field): string[] {
  const { byDefault, defaultMeans = "" } = facts;
  const shown =
    byDefault === null || (Array.isArray(byDefault) && byDefault.length === 0) ? defaultMeans : `\`${byDefault}\``;
  return [envOnly ? "" : `\`${name}\``, `\`${env}\``, facts.takes, shown, facts.means];
}

test("docs/reference/config.md holds the schema's fields (UPDATE_DOCS=1 writes them)", () => {
  const page = readFileSync(PAGE, "utf8");
  const current = page.replace(TABLE, (_, start: string, end: string) => `${start}${table()}\n${end}`);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, current);
  expect(page, "run it again with UPDATE_DOCS=1").toBe(current);
  expect(page).toMatch(TABLE);
});

test("every field has one variable, and no two share one", () => {
  expect(FIELDS.length).toBeGreaterThan(30);
  expect(new Set(FIELDS.map(({ env }) => env)).size).toBe(FIELDS.length);
  expect(FIELDS.find(({ name }) => name === "local.slots")?.env).toBe("SLUICE_LOCAL_SLOTS");
  expect(FIELDS.find(({ name }) => name === "admin.secret_key")?.env).toBe("SLUICE_SECRET_KEY");
});
