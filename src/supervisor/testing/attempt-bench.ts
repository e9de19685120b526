import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AttemptResult, Job } from "../../core/job.ts";
import type { Service, StorageEntry } from "../../core/service.ts";
import { createLog, type Log } from "../../lib/log.ts";
import type { Sandbox } from "../../sandbox/sandbox.ts";
import type { StagedOutput } from "../../state/state.ts";
import type { AbortReason, AttemptHost, AttemptOrder } from "../attempt-host.ts";
import { createSupervisor, type SupervisorOptions } from "../supervisor.ts";

/** An output entry of the embedded store. */
export function entry(folder: string, over: Partial<StorageEntry> = {}): StorageEntry {
  return { provider: "minio.default", bucket: "results", folder, prefixes: [], suffixes: [], optional: false, ...over };
}

const SPEC: Service = {
  name: "thumbs",
  image: "host",
  imageDigest: null,
  imagePullSecrets: [],
  imagePrefetch: false,
  minInstances: 0,
  reuse: false,
  script: "true\n",
  resources: { cpu: 500, memory: 256 * 1024 ** 2, disk: 1024 ** 3 },
  cpuLimit: false,
  timeoutMs: null,
  retries: { maxAttempts: 1, backoffMs: 0 },
  concurrency: null,
  network: "none",
  inputs: [],
  outputs: [entry("out")],
  onConflict: "overwrite",
  allowLoops: false,
  skipStageIn: false,
  variables: {},
  secrets: {},
  logLevel: "INFO",
  visibility: "private",
  allowedUsers: [],
  definition: {},
};

export const TOKEN = "ab".repeat(32);

/** An order for an object `photos/in/cat.jpg`; `spec` and `over` change it. */
export function makeOrder(spec: Partial<Service> = {}, over: Partial<AttemptOrder> = {}): AttemptOrder {
  const time = Date.UTC(2026, 4, 6, 7, 8, 9);
  return {
    lease: { jobId: "thumbs-1", attempt: 1, worker: "local" },
    job: { id: "thumbs-1", service: "thumbs" } as Job,
    revision: { id: "rev-1", service: "thumbs", owner: "me", createdAt: 0, spec: { ...SPEC, ...spec } },
    event: {
      id: "e1",
      source: "object",
      time,
      object: { bucket: "photos", key: "in/cat.jpg", versionSeq: 1, etag: "", sizeBytes: 9 },
      rootId: "e1",
      parentJobId: null,
      hops: 0,
      payload: '{"Records":[]}',
    },
    input: { name: "in/cat.jpg", sizeBytes: 9 },
    token: TOKEN,
    ...over,
  };
}

/** What the attempt did to the world. */
export interface AttemptBench {
  readonly root: string;
  readonly workFolder: string;
  readonly host: AttemptHost;
  readonly finished: { readonly result: AttemptResult; readonly outputs: readonly StagedOutput[] }[];
  readonly staged: {
    readonly key: string;
    readonly how: "move" | "copy";
    readonly bytes: string;
    readonly contentType: string;
  }[];
  readonly chunks: number[];
  /** Lines of the server's log. */
  readonly serverLog: string[];
  logText(): string;
  abort(reason: AbortReason): void;
  run(sandbox: Sandbox, order?: AttemptOrder, over?: Partial<SupervisorOptions>): Promise<AttemptResult>;
  remove(): void;
}

/** A host in memory over a folder of its own; `over` replaces calls, to be slow or to fail. */
export function attemptBench(over: Partial<AttemptHost> = {}): AttemptBench {
  const root = mkdtempSync(join(tmpdir(), "sluice-attempt-"));
  const workFolder = join(root, "work");
  mkdirSync(workFolder);
  const abort = new AbortController();
  const logged: Buffer[] = [];
  const bench: AttemptBench = {
    root,
    workFolder,
    finished: [],
    staged: [],
    chunks: [],
    serverLog: [],
    logText: () => Buffer.concat(logged).toString(),
    abort: (reason) => abort.abort(reason),
    remove: () => rmSync(root, { recursive: true, force: true }),
    host: {
      signal: abort.signal,
      input: async () => inputFile(root),
      started: async () => {},
      log: (chunk) => void logged.push(Buffer.from(chunk)),
      async stageOutput(target, path, how) {
        const blobId = join(root, `blob-${bench.staged.length}`);
        bench.staged.push({
          key: target.key,
          how,
          contentType: target.contentType,
          bytes: readFileSync(path, "latin1"),
        });
        if (how === "move") renameSync(path, blobId);
        else copyFileSync(path, blobId);
        const sizeBytes = bench.staged.at(-1)?.bytes.length ?? 0;
        return { ...target, blob: { blobId, sizeBytes, md5: "", blockCrc32c: new Uint8Array(), inline: null } };
      },
      stageChunk: async (outputs) => void bench.chunks.push(outputs.length),
      finish: async (result, outputs) => void bench.finished.push({ result, outputs }),
      ...over,
    },
    async run(sandbox, order = makeOrder(), options = {}) {
      const log: Log = createLog("debug", (line) => void bench.serverLog.push(line));
      const supervisor = createSupervisor({ sandbox, workFolder, node: "node-1", log, ...options });
      await supervisor.run(order, bench.host).finally(() => supervisor.close());
      const last = bench.finished.at(-1);
      if (last === undefined) throw new Error("the attempt was not finished");
      return last.result;
    },
  };
  return bench;
}

function inputFile(root: string): string {
  const path = join(root, "input");
  rmSync(path, { force: true });
  copyFileSync(import.meta.filename, path);
  return path;
}
