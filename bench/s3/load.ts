import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Requests to send as fast as the answers come. */
export interface Load {
  /** Whom they go to, for messages. */
  readonly server: string;
  readonly port: number;
  /** Connections, each with one request under way. */
  readonly clients: number;
  /** Signed request heads; each is sent once. */
  readonly heads: readonly string[];
  /** Bytes of each request's body, or null for none. */
  readonly bodyBytes: number | null;
  /** What each answer must be. */
  readonly status: number;
  readonly answerBytes: number;
  readonly wantEtags?: boolean;
}

export interface LoadReport {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  /** By request; empty unless wanted. */
  readonly etags: readonly string[];
}

const WORKER = fileURLToPath(new URL("./load-worker.ts", import.meta.url));

/** Runs a load from a process of its own, so that this one's garbage and timers do not count. @throws what any answer had wrong */
export async function runLoad(load: Load): Promise<LoadReport> {
  const child = fork(WORKER, { serialization: "advanced" });
  try {
    child.send(load);
    await message(child);
    child.send("go");
    const report = (await message(child)) as LoadReport | { readonly failed: string };
    if ("failed" in report) throw new Error(`${load.server}: ${report.failed}`);
    return report;
  } finally {
    child.kill();
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const gone = new AbortController();
  const ended = once(child, "exit", { signal: gone.signal }).then(([code]) => {
    throw new Error(`The load's process ended with ${code}`);
  });
  ended.catch(() => undefined);
  try {
    const [value] = await Promise.race([once(child, "message", { signal: gone.signal }), ended]);
    return value;
  } finally {
    gone.abort();
  }
}
