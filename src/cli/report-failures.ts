import { exitCode } from "./failure.ts";
import { type Io, tell } from "./io.ts";
import { counted, printable } from "./text.ts";
import type { TransferFailure } from "./transfers.ts";

const MOST_TOLD = 20;

/** Tells on stderr what failed, one line each up to twenty. @returns the exit code: 0 when nothing failed */
export function reportFailures(io: Io, what: string, failures: readonly TransferFailure[]): number {
  const [first] = failures;
  if (first === undefined) return 0;
  for (const { error } of failures.slice(0, MOST_TOLD)) tell(io, `sluice: ${error.code}: ${printable(error.message)}`);
  if (failures.length > 1) tell(io, `sluice: cannot ${what} ${counted(failures.length, "object")}`);
  return failures.length === 1 ? exitCode(first.error) : 1;
}
