import { isUtf8 } from "node:buffer";
import type { Position } from "./tree.ts";

/** The text of UTF-8 bytes without a byte order mark, or where the first byte that is none stands. */
export function decodeUtf8(bytes: Uint8Array): { readonly text: string } | { readonly wrongAt: Position } {
  if (isUtf8(bytes)) return { text: new TextDecoder().decode(bytes) };
  let line = 1;
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, start);
    const lineBytes = bytes.subarray(start, newline < 0 ? bytes.length : newline);
    if (!isUtf8(lineBytes) || newline < 0) return { wrongAt: { line, column: wrongColumn(lineBytes) } };
    start = newline + 1;
    line += 1;
  }
}

/** Decoding puts U+FFFD where a byte is wrong. */
function wrongColumn(line: Uint8Array): number {
  return Math.max(1, new TextDecoder().decode(line).indexOf("\uFFFD") + 1);
}
