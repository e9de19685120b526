import { homedir } from "node:os";
import type { Readable, Writable } from "node:stream";

/** The world as a command sees it. Tests bring their own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** Width of the terminal that stdout is, or null when it is none. */
  readonly columns: number | null;
  /** True when stderr is a terminal: progress bars may move. */
  readonly live: boolean;
  /** True when stdout may carry colours. */
  readonly colour: boolean;
}

/** The process's own streams. A reader that goes away (`| head`) ends the process quietly. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) stream.on("error", quietOnClosedPipe);
  const dumb = env.TERM === "dumb";
  return {
    stdin,
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    home: homedir(),
    columns: stdout.isTTY ? stdout.columns : null,
    live: stderr.isTTY === true && !dumb,
    // https://no-color.org: present and not empty.
    colour: stdout.isTTY === true && !dumb && (env.NO_COLOR ?? "") === "",
  };
}

function quietOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}

/** Writes one line to stdout. */
export const say = (io: Io, line: string): void => void io.stdout.write(`${line}\n`);
/** Writes one line to stderr: what a person should know although it is not the result. */
export const tell = (io: Io, line: string): void => void io.stderr.write(`${line}\n`);
