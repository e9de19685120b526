import { cut, displayWidth, printable } from "./text.ts";

export interface Column<T> {
  readonly title: string;
  readonly value: (item: T) => string;
  /** Numbers stand to the right. */
  readonly align?: "right";
  /** May be cut when the terminal is narrow; at least one column of a table should be. */
  readonly flexible?: boolean;
  /** Left out, the last one first, when cutting alone cannot make the table fit. */
  readonly optional?: boolean;
}

const GAP = "  ";
const NARROWEST = 8;

/** The rows below their titles. Fits `width` columns as far as flexible and optional columns allow it; null neither cuts nor leaves out. */
export function renderTable<T>(items: readonly T[], columns: readonly Column<T>[], width: number | null): string {
  const rows = [
    columns.map((column) => column.title),
    ...items.map((item) => columns.map((column) => printable(column.value(item)))),
  ];
  const natural = columns.map((_, index) => Math.max(...rows.map((row) => displayWidth(row[index] ?? ""))));
  const widths = width === null ? natural : shrink(natural, columns, width);
  const last = columns.findLastIndex((column) => column.optional === true);
  if (width !== null && last >= 0 && total(widths) > width) {
    return renderTable(items, columns.toSpliced(last, 1), width);
  }
  return rows.map((row) => `${renderRow(row, widths, columns)}\n`).join("");
}

const total = (widths: readonly number[]): number =>
  widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);

function renderRow<T>(row: readonly string[], widths: readonly number[], columns: readonly Column<T>[]): string {
  const cells = row.map((cell, index) => {
    const width = widths[index] ?? 0;
    const shown = cut(cell, width);
    const padding = " ".repeat(width - displayWidth(shown));
    return columns[index]?.align === "right" ? padding + shown : shown + padding;
  });
  return cells.join(GAP).trimEnd();
}

/** Takes columns from the widest flexible one until the table fits, or none can give any more. */
function shrink<T>(natural: readonly number[], columns: readonly Column<T>[], width: number): number[] {
  const widths = [...natural];
  let over = total(widths) - width;
  while (over > 0) {
    const flexible = widths.map((each, index) => (columns[index]?.flexible === true ? each : 0));
    const widest = Math.max(...flexible);
    if (widest <= NARROWEST) break;
    widths[flexible.indexOf(widest)] = widest - 1;
    over -= 1;
  }
  return widths;
}
