/** A terminal and the program around us (npm, a supervisor) often both pass one Ctrl-C on: signals within this time count once. */
const ONE_INTENT_MS = 1000;

/** Resolves with the name of the first SIGINT or SIGTERM. From then on a second one, at least a second after the first, ends the process
 *  at once. Until `release` is called neither signal has its usual effect. */
export function stopSignal(
  source: NodeJS.EventEmitter = process,
  end: (code: number) => void = (code) => process.exit(code),
  now: () => number = () => performance.now(),
): { readonly first: Promise<NodeJS.Signals>; release(): void } {
  const { promise: first, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | null = null;
  const hear = (signal: NodeJS.Signals): void => {
    if (firstAt === null) {
      firstAt = now();
      resolve(signal);
    } else if (now() - firstAt >= ONE_INTENT_MS) {
      end(SIGNAL_EXIT_BASE + (signal === "SIGINT" ? 2 : 15));
    }
  };
  source.on("SIGINT", hear).on("SIGTERM", hear);
  return { first, release: () => void source.off("SIGINT", hear).off("SIGTERM", hear) };
}

/** Shells say 128 + n for a program that signal n ended. */
const SIGNAL_EXIT_BASE = 128;
