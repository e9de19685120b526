import { setTimeout as sleep } from "node:timers/promises";

const BEAT_MS = 1000;

/** Waits for a promise, giving 0 each second meanwhile, so that who reads learns that it goes on and may leave. */
export async function* beating<T>(work: Promise<T>): AsyncGenerator<number, T> {
  const done = work.then(
    () => true,
    () => true,
  );
  const stop = new AbortController();
  try {
    while (!(await Promise.race([done, sleep(BEAT_MS, false, { signal: stop.signal }).catch(() => false)]))) yield 0;
    return await work;
  } finally {
    stop.abort();
  }
}
