import { errno } from "../../../lib/errno.ts";

/** Sends a signal to each process (a negative id is a process group); one that has gone is no error. */
export function sendSignal(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (errno(error) !== "ESRCH") throw error;
    }
  }
}
