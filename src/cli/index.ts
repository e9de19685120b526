import { asSluiceError, exitCode, failureText } from "./failure.ts";
import { type Io, processIo } from "./io.ts";
import { runCommand } from "./run-command.ts";

/** Runs `sluice ARGV…` and resolves with the exit code: 0 done, 1 the work failed, 2 wrong usage or invalid file,
 *  3 cannot reach or not allowed. Never rejects: errors are printed as `sluice: CODE: sentence` on stderr. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  try {
    return await runCommand(argv, io);
  } catch (thrown) {
    const error = asSluiceError(thrown);
    io.stderr.write(failureText(error, (io.env.SLUICE_DEBUG ?? "") !== ""));
    return exitCode(error);
  }
}
