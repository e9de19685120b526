import type { Command, Option } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { SERVER_OPTIONS } from "./server-options.ts";

/** What `sluice --help` prints. */
export function overview(): string {
  const names = Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary] as const);
  return lines([
    "sluice: drop a file in a bucket; a script runs on it in a sandbox; the result lands in another bucket",
    "",
    "Usage: sluice COMMAND [ARGUMENT…] [FLAG…]",
    "",
    "Commands:",
    ...columns(names),
    "",
    "Which server (every command that talks to one):",
    ...columns(Object.entries(SERVER_OPTIONS).map(describe)),
    "",
    "First steps:",
    "  sluice demo                       see it work",
    "  sluice up                         start a server",
    "  sluice COMMAND --help             what a command can do",
    "",
    "Exit codes: 0 done, 1 the work failed, 2 wrong usage or invalid file, 3 cannot reach or not allowed",
  ]);
}

/** What `sluice COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  const own = Object.entries(command.options).filter(([name]) => !Object.hasOwn(SERVER_OPTIONS, name));
  const server = Object.entries(command.options).filter(([name]) => Object.hasOwn(SERVER_OPTIONS, name));
  return lines([
    `sluice ${command.name}: ${command.summary}`,
    "",
    ...command.usage.map((usage, index) => `${index === 0 ? "Usage: " : "       "}sluice ${usage}`),
    ...(command.description ?? []).flatMap((paragraph) => ["", paragraph]),
    ...section("Flags:", own),
    ...section("Which server:", server),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
  ]);
}

function section(title: string, options: readonly (readonly [string, Option])[]): string[] {
  return options.length === 0 ? [] : ["", title, ...columns(options.map(describe))];
}

function describe([name, option]: readonly [string, Option]): readonly [string, string] {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const value = option.type === "string" ? ` ${option.value ?? "VALUE"}` : "";
  return [`${short}--${name}${value}`, option.help];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

const lines = (all: readonly string[]): string => `${all.join("\n")}\n`;
