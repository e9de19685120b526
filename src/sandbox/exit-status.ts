import { constants } from "node:os";

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Signals that end a program. */
const LAST_SIGNAL = 31;

/** How a program ended, from the code that the driver was told. A program that died of signal n and one that ended with 128 + n by
 *  itself give the same code, as they do in every shell (a shell script whose program was killed ends with 128 + n): both are reported
 *  as the signal. Codes of no signal are exit codes. */
export function exitOf(code: number): { readonly exitCode: number | null; readonly signal: string | null } {
  const signal = code > 128 && code <= 128 + LAST_SIGNAL ? NAMES.get(code - 128) : undefined;
  return signal === undefined ? { exitCode: code, signal: null } : { exitCode: null, signal };
}
