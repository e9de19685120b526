import { Readable, Writable } from "node:stream";
import type { Io } from "../io.ts";

/** A world for one command: what it wrote can be read back. */
export interface FakeIo extends Io {
  written(): { readonly out: string; readonly err: string };
}

export function fakeIo(
  options: Partial<Omit<Io, "stdin">> & { readonly input?: string; readonly tty?: boolean } = {},
): FakeIo {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const { input = "", tty = false, ...rest } = options;
  return {
    stdin: Object.assign(Readable.from([Buffer.from(input)]), { isTTY: tty }),
    stdout: into(out),
    stderr: into(err),
    env: {},
    cwd: "/nowhere",
    home: "/nowhere",
    columns: null,
    live: false,
    colour: false,
    ...rest,
    written: () => ({ out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
  };
}

const into = (chunks: Buffer[]): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
