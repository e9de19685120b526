import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { SluiceError } from "../core/errors.ts";
import type { Io } from "./io.ts";

/** Asks on the terminal without showing what is typed. @throws SluiceError USAGE when there is no terminal to ask on */
export async function askSecret(io: Io, question: string): Promise<string> {
  if (io.stdin.isTTY !== true) {
    throw new SluiceError("USAGE", `Cannot ask for "${question}": there is no terminal (use --password-stdin)`);
  }
  io.stderr.write(`${question}: `);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  try {
    return await answer(lines.question(""), lines);
  } finally {
    lines.close();
    io.stderr.write("\n");
  }
}

/** Asks on the terminal. @throws SluiceError USAGE when there is no terminal to ask on */
export async function ask(io: Io, question: string, otherwise: string): Promise<string> {
  if (io.stdin.isTTY !== true) throw new SluiceError("USAGE", `Cannot ask for "${question}": there is no terminal`);
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const given = await answer(lines.question(`${question} [${otherwise}]: `), lines);
    return given === "" ? otherwise : given;
  } finally {
    lines.close();
  }
}

/** Ctrl-C or the end of the input leave the question unanswered. */
async function answer(question: Promise<string>, lines: NodeJS.EventEmitter): Promise<string> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(new SluiceError("USAGE", "Cannot go on: the question was not answered"));
  lines.once("SIGINT", leave);
  lines.once("close", leave);
  return Promise.race([question, left]);
}

/** A secret piped in: all of stdin without the line end. @throws SluiceError USAGE when it is empty */
export async function readSecret(io: Io): Promise<string> {
  const secret = (await text(io.stdin)).replace(/\r?\n$/, "");
  if (secret === "") throw new SluiceError("USAGE", "Cannot read the secret from stdin: it is empty");
  return secret;
}
