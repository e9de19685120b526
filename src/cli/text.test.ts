import { describe, expect, it } from "vitest";
import { renderTable } from "./table.ts";
import { cut, displayWidth, printable } from "./text.ts";

describe("text in a terminal", () => {
  it.each([
    ["abc", 3],
    ["åé", 2],
    ["e\u0301", 1],
    ["日本", 4],
    ["👍🏽", 2],
    ["", 0],
  ])("%j takes %i columns", (text, width) => expect(displayWidth(text)).toBe(width));

  it("is cut between characters", () => {
    expect(cut("abcdef", 6)).toBe("abcdef");
    expect(cut("abcdef", 4)).toBe("abc…");
    expect(cut("日本語", 4)).toBe("日…");
    expect(cut("abc", 0)).toBe("");
  });

  it("cannot command the terminal", () => {
    expect(printable("a\x1b]0;evil\x07b\nc\x9b2J")).toBe("a\\x1b]0;evil\\x07b\\x0ac\\x9b2J");
    expect(printable("invoice\u202egpj.exe")).toBe("invoice\\u202egpj.exe");
    expect(printable("größe 日本 👍")).toBe("größe 日本 👍");
  });
});

describe("a table", () => {
  const columns = [
    { title: "NAME", value: (item: { name: string; size: number }) => item.name, flexible: true },
    { title: "SIZE", value: (item: { name: string; size: number }) => String(item.size), align: "right" as const },
    { title: "NOTE", value: () => "ok" },
  ];
  const items = [
    { name: "a-rather-long-name.jpg", size: 7 },
    { name: "日本", size: 12345 },
  ];

  it("keeps numbers to the right and leaves no blanks at line ends", () => {
    expect(renderTable(items, columns, null)).toBe(
      [
        "NAME                     SIZE  NOTE",
        "a-rather-long-name.jpg      7  ok",
        "日本                    12345  ok",
        "",
      ].join("\n"),
    );
  });

  it("cuts flexible columns to fit the terminal, and never others", () => {
    const lines = renderTable(items, columns, 25).split("\n");
    expect(lines[1]).toBe("a-rather-lo…      7  ok");
    expect(lines.every((line) => displayWidth(line) <= 25)).toBe(true);
    expect(renderTable(items, columns, 5)).toContain("a-rathe…      7  ok");
  });

  it("leaves optional columns out, the last one first, when cutting is not enough", () => {
    const wide = [...columns, { title: "CREATED", value: () => "2026-03-05 14:07:09", optional: true }];
    expect(renderTable(items, wide, null)).toContain("2026");
    expect(renderTable(items, wide, 44)).toContain("2026");
    expect(renderTable(items, wide, 30)).toBe(renderTable(items, columns, 30));
  });
});
