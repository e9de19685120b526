/** The places where a test may end the process as a power cut would. One name a committed or half-done step of the main path. */
export type CrashPoint =
  | "put.blob-staged"
  | "put.committed"
  | "part.staged"
  | "part.committed"
  | "complete.assembled"
  | "complete.committed"
  | "lease.committed"
  | "attempt.started"
  | "output.staged"
  | "finish.before-commit"
  | "finish.committed"
  | "fan-out.chunk"
  | "delete.committed"
  | "sweep.unlinked"
  | "image.download"
  | "image.unpacked"
  | "image.record"
  | "migrate.copied";

interface Armed {
  readonly name: string;
  /** Passes of the point that are still survived. */
  left: number;
}

let armed = parseCrashAt(process.env.SLUICE_CRASH_AT);

/** Ends the process by SIGKILL, so that nothing is flushed or cleaned up, when `SLUICE_CRASH_AT` is `name` or `name:N` and this is its
 *  Nth pass (the first when N is not given). Passes are counted per thread. Without the variable it is one comparison. */
export function crashPoint(name: CrashPoint): void {
  if (armed === null || armed.name !== name) return;
  armed.left -= 1;
  if (armed.left > 0) return;
  armed = null;
  process.kill(process.pid, "SIGKILL");
}

/** Reads `name` or `name:N`; null for nothing to do. A count that is no positive integer is a mistake of the test: 1 is taken. */
export function parseCrashAt(text: string | undefined): Armed | null {
  if (text === undefined || text === "") return null;
  const [name = "", count = "1"] = text.split(":");
  const left = Number.parseInt(count, 10);
  return { name, left: left > 0 ? left : 1 };
}
