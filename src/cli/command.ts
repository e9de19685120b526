import type { parseArgs } from "node:util";
import type { Io } from "./io.ts";

/** One flag, in the words of `node:util` parseArgs, with what `--help` says about it. */
export interface Option {
  readonly type: "boolean" | "string";
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for the value in help: `DIR`, `URL`, `N`. Strings only. */
  readonly value?: string;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** The flags as parsed: absent ones are undefined. */
type Flags<O extends OptionTable> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true; readonly strict: true }>
>["values"];

/** What a command is: data, and the one function that does it. */
export interface CommandDefinition<O extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** Each way to call it, without `sluice`: `jobs wait ID…`. */
  readonly usage: readonly string[];
  /** Paragraphs for `--help`, when the summary does not say it all. */
  readonly description?: readonly string[];
  readonly options: O;
  /** Whole lines a person could type. */
  readonly examples: readonly string[];
  /** Resolves with the exit code: 0 done, 1 the work failed. @throws SluiceError for everything else */
  run(call: { readonly flags: Flags<O>; readonly positionals: readonly string[] }, io: Io): Promise<number>;
}

/** A command whose flags are known to itself only. */
export interface Command extends Omit<CommandDefinition<OptionTable>, "run"> {
  /** Parses its own arguments and runs. @throws SluiceError USAGE */
  execute(argv: readonly string[], io: Io): Promise<number>;
}
