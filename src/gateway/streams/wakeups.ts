import type { CommitNotice, State } from "../../state/state.ts";

/** Wakes readers of committed facts. A reader notes `version`, reads, and then waits for a version after the one it noted, so that a commit
 *  between reading and waiting is never slept through. */
export class Wakeups {
  #version = 0;
  #lastSeq = 0;
  readonly #waiting = new Set<() => void>();
  readonly #unsubscribe: () => void;

  constructor(state: Pick<State, "subscribe">) {
    this.#unsubscribe = state.subscribe((notice) => this.#notice(notice));
  }

  get version(): number {
    return this.#version;
  }

  /** The newest change that was told of; 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Resolves with true once something was committed after `version`, with false after `timeoutMs` or when `signal` aborts. */
  async after(version: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#version !== version) return true;
    return new Promise((resolve) => {
      const end = (woken: boolean): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", give);
        this.#waiting.delete(wake);
        resolve(woken);
      };
      const wake = (): void => end(true);
      const give = (): void => end(false);
      const timer = setTimeout(give, timeoutMs);
      signal.addEventListener("abort", give, { once: true });
      this.#waiting.add(wake);
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  #notice(notice: CommitNotice): void {
    this.#version += 1;
    this.#lastSeq = Math.max(this.#lastSeq, notice.lastSeq);
    for (const wake of [...this.#waiting]) wake();
  }
}
