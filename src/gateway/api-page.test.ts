import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Route } from "./route.ts";
import { type FakeServer, fakeServer } from "./testing/fake-server.ts";

const PAGE = new URL("../../docs/reference/api.md", import.meta.url);
const TABLE = /(<!-- routes:[^\n]*-->\n)[\s\S]*(<!-- \/routes -->)/;

let server: FakeServer;
beforeAll(() => {
  server = fakeServer();
});
afterAll(() => server.close());

function row({ method, path, summary, errors, answers }: Route): string {
  const statuses = Object.keys(answers).join(", ");
  return `| \`${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}\` | ${summary} | ${statuses} | ${errors === "oscar" ? "text" : "problem"} |`;
}

it("docs/reference/api.md lists exactly the route table (UPDATE_DOCS=1 writes it)", () => {
  const head = "| call | does | answers | errors |\n|---|---|---|---|";
  const table = `\n${[head, ...server.routes.map(row)].join("\n")}\n`;
  const page = readFileSync(PAGE, "utf8");
  const current = page.replace(TABLE, (_, start: string, end: string) => `${start}${table}\n${end}`);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, current);
  expect(page, "run it again with UPDATE_DOCS=1").toBe(current);
  expect(page).toMatch(TABLE);
});
