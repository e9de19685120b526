import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import { COMMANDS, isCommand } from "./commands.ts";
import type { Io } from "./io.ts";
import { SERVER_OPTIONS } from "./server-options.ts";
import { packageVersion } from "./version.ts";

/** Finds the command in `argv`, loads its file and runs it; resolves with its exit code. @throws SluiceError */
export async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  const at = commandIndex(argv);
  const name = argv[at];
  if (name === undefined) return withoutCommand(argv, io);
  if (name === "help") return runCommand([...argv.toSpliced(at, 1), "--help"], io);
  if (!isCommand(name)) throw unknownCommand(name);
  const rest = argv.toSpliced(at, 1);
  const { command } = await COMMANDS[name].load();
  if (!asksForHelp(rest)) return command.execute(rest, io);
  const { commandHelp } = await import("./help.ts");
  io.stdout.write(commandHelp(command));
  return 0;
}

async function withoutCommand(argv: readonly string[], io: Io): Promise<number> {
  if (argv.includes("--version") || argv.includes("-V")) {
    io.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  const { overview } = await import("./help.ts");
  if (asksForHelp(argv)) {
    io.stdout.write(overview());
    return 0;
  }
  if (argv.length > 0) throw new SluiceError("USAGE", `Cannot run: "${argv[0]}" is no command (see: sluice --help)`);
  io.stderr.write(overview());
  return 2;
}

/** Where the command's name stands: the first word that is neither a flag nor the value of one of the server flags. */
function commandIndex(argv: readonly string[]): number {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? "";
    if (!word.startsWith("-")) return index;
    if (Object.hasOwn(SERVER_OPTIONS, word.slice(2))) index += 1;
  }
  return argv.length;
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  return flags.includes("--help") || flags.includes("-h");
}

function unknownCommand(name: string): SluiceError {
  const close = nearest(name, Object.keys(COMMANDS));
  const hint = close === null ? "see: sluice --help" : `did you mean "${close}"? see: sluice --help`;
  return new SluiceError("USAGE", `Cannot run "${name}": there is no such command (${hint})`);
}
