export type LogLevel = "debug" | "info" | "warn" | "error";

const ORDER: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

/** Structured log: one JSON object a line on stderr. Values must be free of secrets; callers name fields, never dump objects. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A log that adds these fields to every line. */
  child(fields: Record<string, unknown>): Log;
}

/** @param level the least weight that is written; a function is asked at every line, so that it can change while the program runs */
export function createLog(
  level: LogLevel | (() => LogLevel),
  write: (line: string) => void = (line) => void process.stderr.write(line),
  base: Record<string, unknown> = {},
): Log {
  const emit = (at: LogLevel, message: string, fields: Record<string, unknown> = {}): void => {
    if (ORDER[at] < ORDER[typeof level === "string" ? level : level()]) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level: at, message, ...base, ...plain(fields) })}\n`);
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
    child: (fields) => createLog(level, write, { ...base, ...fields }),
  };
}

/** Errors do not serialise by themselves: keep their message and code, and the stack only for defects. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (!(value instanceof Error)) return [name, value];
      const code = "code" in value ? value.code : undefined;
      return [name, { message: value.message, code, ...(code === undefined ? { stack: value.stack } : {}) }];
    }),
  );
}

export const silentLog: Log = createLog("error", () => {});
