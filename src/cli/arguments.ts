import { parseArgs } from "node:util";
import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import type { Command, CommandDefinition, OptionTable } from "./command.ts";

/** Makes a command that parses its own arguments. Flags may stand anywhere; `--` ends them. */
export function defineCommand<const O extends OptionTable>(definition: CommandDefinition<O>): Command {
  const { run, ...data } = definition;
  return {
    ...data,
    execute: async (argv, io) => run(parse(definition.name, definition.options, argv), io),
  };
}

function parse<const O extends OptionTable>(name: string, options: O, argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { flags: values, positionals };
  } catch (error) {
    throw usageError(name, options, error);
  }
}

function usageError(name: string, options: OptionTable, error: unknown): unknown {
  if (!(error instanceof TypeError) || !("code" in error)) return error;
  const help = `see: sluice ${name} --help`;
  const flag = /'(?:-\w, )?(-{1,2}[^' =]+)/.exec(error.message)?.[1] ?? "";
  if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const close = nearest(
      flag,
      Object.keys(options).map((key) => `--${key}`),
    );
    const hint = close === null ? help : `did you mean "${close}"? ${help}`;
    return new SluiceError("USAGE", `Cannot run "${name}": there is no flag "${flag}" (${hint})`);
  }
  const why = error.message.includes("does not take") ? "takes no value" : "needs a value";
  return new SluiceError("USAGE", `Cannot run "${name}": the flag "${flag}" ${why} (${help})`);
}

/** The positionals of a command that takes between `least` and `most`. @throws SluiceError USAGE naming what is missing or too much */
export function expectArguments(
  usage: string,
  positionals: readonly string[],
  least: number,
  most = Number.POSITIVE_INFINITY,
): readonly string[] {
  const name = usage.split(" ")[0] ?? usage;
  if (positionals.includes("")) {
    throw new SluiceError("USAGE", `Cannot run "${name}": an argument is empty (usage: sluice ${usage})`);
  }
  if (positionals.length < least) {
    throw new SluiceError("USAGE", `Cannot run "${name}": an argument is missing (usage: sluice ${usage})`);
  }
  if (positionals.length > most) {
    const extra = positionals.slice(most).join(" ");
    throw new SluiceError("USAGE", `Cannot run "${name}": "${extra}" is too much (usage: sluice ${usage})`);
  }
  return positionals;
}
