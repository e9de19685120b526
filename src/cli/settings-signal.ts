import type { Log } from "../lib/log.ts";

/** At every SIGHUP reads the settings again and hands them over. Settings with mistakes change nothing and are told to the log. One signal after the
 *  other. Until `release` is called SIGHUP does not end the process. */
export function settingsSignal<Settings>(
  { read, take, log }: { read(): Promise<Settings>; take(settings: Settings): Promise<void>; log: Log },
  source: NodeJS.EventEmitter = process,
): { release(): void } {
  let last = Promise.resolve();
  const reread = async (): Promise<void> => {
    try {
      await take(await read());
    } catch (error) {
      log.error("cannot read the settings again: they stay as they are", { error });
    }
  };
  const hear = (): void => {
    last = last.then(reread);
  };
  source.on("SIGHUP", hear);
  return { release: () => void source.off("SIGHUP", hear) };
}
