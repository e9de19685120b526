import type { Log, LogLevel } from "../lib/log.ts";

/** At every SIGHUP reads the settings again and takes their log level; the others need a restart. Settings with mistakes change nothing and are
 *  told to the log. Until `release` is called SIGHUP does not end the process. */
export function logLevelSignal(
  { read, take, log }: { read(): Promise<{ readonly logLevel: LogLevel }>; take(level: LogLevel): void; log: Log },
  source: NodeJS.EventEmitter = process,
): { release(): void } {
  const hear = async (): Promise<void> => {
    try {
      const { logLevel } = await read();
      take(logLevel);
      log.info("read the log level again", { log_level: logLevel });
    } catch (error) {
      log.error("cannot read the settings again: the log level stays", { error });
    }
  };
  source.on("SIGHUP", hear);
  return { release: () => void source.off("SIGHUP", hear) };
}
