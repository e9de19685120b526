import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import { type Io, tell } from "./io.ts";
import { type Column, renderTable } from "./table.ts";
import { printable } from "./text.ts";

const FORMATS = ["table", "json", "yaml", "name"] as const;
export type Format = (typeof FORMATS)[number];

/** The flag of every listing. */
export const FORMAT_OPTION = {
  output: {
    type: "string",
    short: "o",
    value: "FORMAT",
    help: "table (default), json (as the API answered), yaml or name",
  },
} as const;

/** @throws SluiceError USAGE */
export function parseFormat(text: string | undefined): Format {
  const format = FORMATS.find((each) => each === (text ?? "table"));
  if (format !== undefined) return format;
  const close = nearest(text ?? "", FORMATS);
  const hint = close === null ? "" : ` (did you mean "${close}"?)`;
  throw new SluiceError("USAGE", `Cannot print as "${text}": the formats are ${FORMATS.join(", ")}${hint}`);
}

export interface Listing<T> {
  /** What the API answered, whole. */
  readonly raw: unknown;
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly name: (item: T) => string;
  /** What to say on stderr when there is nothing, with what to do next. */
  readonly empty: string;
}

/** Prints a listing in the format asked for. */
export async function printListing<T>(io: Io, format: Format, listing: Listing<T>): Promise<void> {
  if (format === "json" || format === "yaml") return printData(io, format, listing.raw);
  if (format === "name") {
    // A program that reads the names needs them byte for byte; a terminal must not obey them.
    const shown = io.columns === null ? (name: string) => name : printable;
    io.stdout.write(listing.items.map((item) => `${shown(listing.name(item))}\n`).join(""));
    return;
  }
  if (listing.items.length === 0) tell(io, listing.empty);
  else io.stdout.write(renderTable(listing.items, listing.columns, io.columns));
}

/** Prints one value as JSON or YAML. */
export async function printData(io: Io, format: "json" | "yaml", value: unknown): Promise<void> {
  if (format === "json") io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else io.stdout.write((await import("yaml")).stringify(value));
}

/** Prints one thing: its facts one below the other as a table, or all of it as data. `name` prints its name only. */
export async function printFacts(
  io: Io,
  format: Format,
  thing: { readonly raw: unknown; readonly name: string; readonly facts: readonly (readonly [string, string])[] },
): Promise<void> {
  if (format === "json" || format === "yaml") return printData(io, format, thing.raw);
  if (format === "name") {
    io.stdout.write(`${thing.name}\n`);
    return;
  }
  const shown = thing.facts.filter(([, value]) => value !== "");
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  io.stdout.write(shown.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}\n`).join(""));
}
