import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { KeyRow, SectionName, ValueType } from "./key-row.ts";
import { KEY_TABLE } from "./key-table.ts";

const PAGE = new URL("../../docs/reference/fdl.md", import.meta.url);
const TABLES = /(<!-- keys:[^\n]*-->\n)[\s\S]*(<!-- \/keys -->)/;

const TITLES: Readonly<Record<SectionName, string>> = {
  service: "A service",
  synchronous: "`synchronous`",
  input: "Entries of `input`",
  output: "Entries of `output`",
  environment: "`environment`",
  retries: "`retries`",
  mount: "`mount`",
  volume: "`volume`",
  expose: "`expose`",
  kserve: "`kserve`",
  "kserve inference": "`kserve.inference`",
  "kserve llm_inference": "`kserve.llm_inference`",
  federation: "`federation`",
  replica: "Entries of `federation.members` and `replicas`",
  cluster: "`clusters`, each by its id",
  storage_providers: "`storage_providers`",
  minio: "`storage_providers.minio`, each by its id",
  s3: "`storage_providers.s3`, each by its id",
  onedata: "`storage_providers.onedata`, each by its id",
  webdav: "`storage_providers.webdav`, each by its id",
  rucio: "`storage_providers.rucio`, each by its id",
  "aws function": "Entries of `functions.aws`",
  lambda: "`lambda`",
  container: "`lambda.container`",
  batch: "`batch`",
  "scar function": "SCAR's first files: `functions`, each by its name",
  "scar s3": "`s3`",
};

const EFFECTS: Readonly<Record<KeyRow["effect"], string>> = {
  acts: "honoured",
  kept: "kept",
  warns: "kept, with a warning",
  "read-only": "set by the server",
  aws: "of AWS alone, with a warning",
};

function tables(): string {
  const sections = Object.keys(TITLES).filter((name): name is SectionName => name in KEY_TABLE);
  return sections.map((section) => `\n## ${TITLES[section]}\n\n${tableOf(KEY_TABLE[section])}\n`).join("");
}

function tableOf(rows: readonly KeyRow[]): string {
  const head = "| key | value | default | here | meaning |\n|---|---|---|---|---|";
  return [head, ...rows.map((row) => `| ${cells(row).join(" | ")} |`)].join("\n");
}

function cells(row: KeyRow): string[] {
  const byDefault = row.required
    ? "required"
    : row.default === undefined || isEmpty(row.default)
      ? ""
      : code(row.default);
  const own = row.dialect === "sluice" && row.effect !== "read-only" ? "ours" : EFFECTS[row.effect];
  const means = row.lacks === undefined ? row.means : `${row.means} (${row.lacks})`;
  return [`\`${row.key}\``, typeName(row.type), byDefault, own, means];
}

const code = (value: unknown): string => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
const isEmpty = (value: unknown): boolean => value === "" || ["[]", "{}"].includes(JSON.stringify(value));

function typeName(type: ValueType): string {
  if (type.is === "choice") return type.of.map((word) => `\`${word}\``).join(", ");
  if (type.is === "sections") return "list of maps";
  if (type.is === "section") return "map";
  return type.is === "section map" ? "map of maps" : type.is;
}

test("docs/reference/fdl.md holds the key table (UPDATE_DOCS=1 writes it)", () => {
  const page = readFileSync(PAGE, "utf8");
  const current = page.replace(TABLES, (_, start: string, end: string) => `${start}${tables()}\n${end}`);
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, current);
  expect(page, "run it again with UPDATE_DOCS=1").toBe(current);
  expect(page).toMatch(TABLES);
});

test("a meaning never breaks its table", () => {
  for (const row of Object.values(KEY_TABLE).flat()) expect(`${row.means}${row.lacks ?? ""}`).not.toMatch(/[|\n]/);
});
