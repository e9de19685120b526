import { Writable } from "node:stream";

/** Passes lines on to `out`, each behind `margin`. */
export function indented(out: Writable, margin: string): Writable {
  let atLineStart = true;
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const text = chunk.toString();
      const shifted = text.replaceAll(/^(?=.)/gm, (_match, at: number) => (at > 0 || atLineStart ? margin : ""));
      atLineStart = text.endsWith("\n");
      out.write(shifted, () => done());
    },
  });
}
