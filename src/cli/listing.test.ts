import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Format, parseFormat, printFacts, printListing } from "./listing.ts";
import { bar, progressLine } from "./progress.ts";
import { fakeIo } from "./testing/fake-io.ts";

const ITEMS = [
  { name: "a", size: 5 },
  { name: "evil\x1b[2J\nname", size: 12 },
];

async function printed(format: Format, items = ITEMS, columns: number | null = null) {
  const io = fakeIo({ columns });
  await printListing(io, format, {
    raw: { items },
    items,
    columns: [
      { title: "NAME", value: (item) => item.name },
      { title: "SIZE", value: (item) => String(item.size), align: "right" },
    ],
    name: (item) => item.name,
    empty: "Nothing (make some)",
  });
  return io.written();
}

describe("a listing", () => {
  it("is what the API answered, as JSON and as YAML", async () => {
    expect(JSON.parse((await printed("json")).out)).toEqual({ items: ITEMS });
    expect(parse((await printed("yaml")).out)).toEqual({ items: ITEMS });
  });

  it("is a table whose cells cannot command the terminal", async () => {
    expect((await printed("table")).out).toBe(
      ["NAME                 SIZE", "a                       5", "evil\\x1b[2J\\x0aname    12", ""].join("\n"),
    );
  });

  it("is names, byte for byte for programs and harmless on terminals", async () => {
    expect((await printed("name")).out).toBe("a\nevil\x1b[2J\nname\n");
    expect((await printed("name", ITEMS, 80)).out).toBe("a\nevil\\x1b[2J\\x0aname\n");
  });

  it("says on stderr what to do when it is empty, and stays data for programs", async () => {
    expect(await printed("table", [])).toEqual({ out: "", err: "Nothing (make some)\n" });
    expect(await printed("json", [])).toEqual({ out: '{\n  "items": []\n}\n', err: "" });
    expect(await printed("name", [])).toEqual({ out: "", err: "" });
  });

  it("has four formats", () => {
    expect(parseFormat(undefined)).toBe("table");
    expect(parseFormat("yaml")).toBe("yaml");
    expect(() => parseFormat("jsno")).toThrow('did you mean "json"?');
    expect(() => parseFormat("")).toThrow("the formats are table, json, yaml, name");
  });
});

it("facts leave out what is empty", async () => {
  const io = fakeIo();
  await printFacts(io, "table", {
    raw: {},
    name: "n",
    facts: [
      ["state", "RUNNING"],
      ["signal", ""],
      ["exit code", "\x1b"],
    ],
  });
  expect(io.written().out).toBe("state      RUNNING\nexit code  \\x1b\n");
});

describe("progress", () => {
  it("is a bar", () => {
    expect(bar(0, 10)).toBe(`[${"-".repeat(24)}]   0 %`);
    expect(bar(5, 10)).toBe(`[${"#".repeat(12)}${"-".repeat(12)}]  50 %`);
    expect(bar(12, 10)).toBe(`[${"#".repeat(24)}] 100 %`);
    expect(bar(0, 0)).toContain("100 %");
    expect(bar(999, 1000)).toContain(" 99 %");
  });

  it("writes nothing where stderr is no terminal", () => {
    const io = fakeIo();
    const line = progressLine(io);
    line.update(() => "half");
    line.clear();
    expect(io.written().err).toBe("");
  });

  it("draws over itself at most ten times a second, and goes", () => {
    const io = fakeIo({ live: true, columns: 10 });
    let time = 0;
    const line = progressLine(io, () => time);
    line.update(() => "one");
    time = 99;
    line.update(() => "two");
    time = 100;
    line.update(() => "a long text");
    line.clear();
    line.clear();
    expect(io.written().err).toBe("\r\x1b[2Kone\r\x1b[2Ka long t…\r\x1b[2K");
  });
});
