import type { Io } from "./io.ts";
import { cut } from "./text.ts";

/** Often enough to look alive, seldom enough to cost nothing. */
const REDRAW_MS = 100;
const BAR_COLUMNS = 24;

/** One line on stderr that is drawn over; nothing at all where stderr is no terminal. */
export interface ProgressLine {
  /** Shows `text`, at most ten times a second. */
  update(text: () => string): void;
  /** Removes the line, so that ordinary output can follow. */
  clear(): void;
}

export function progressLine(io: Io, now: () => number = () => performance.now()): ProgressLine {
  if (!io.live) return { update: () => {}, clear: () => {} };
  let drawnAt = Number.NEGATIVE_INFINITY;
  let visible = false;
  return {
    update(text) {
      if (now() - drawnAt < REDRAW_MS) return;
      drawnAt = now();
      visible = true;
      io.stderr.write(`\r\x1b[2K${cut(text(), (io.columns ?? 80) - 1)}`);
    },
    clear() {
      if (visible) io.stderr.write("\r\x1b[2K");
      visible = false;
      drawnAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** `[#########---------------]  37 %`; a total of 0 counts as done. */
export function bar(done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * BAR_COLUMNS);
  return `[${"#".repeat(filled)}${"-".repeat(BAR_COLUMNS - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}
