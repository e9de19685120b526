import type { Worker } from "node:worker_threads";
import { SluiceError } from "../../../core/errors.ts";
import { startThread } from "../../../lib/own-program.ts";
import type { CommitNotice, StateStats } from "../../state.ts";
import type { Answer, Call, CallName, CrossedError, FromWorker, Order, ToWorker, WorkerOptions } from "./calls.ts";

export interface SqliteOptions {
  /** The database file; created 0600 in an existing folder. */
  readonly file: string;
  /** Given up when the disk is full. */
  readonly reserveFile?: string | null;
  /** Called once when the worker cannot go on; it must not return to serving. Default: one line on stderr and exit code 70. */
  readonly onFatal?: (error: SluiceError) => void;
}

type Listener = (notice: CommitNotice) => void;
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: SluiceError) => void;
}

/** Calls that may wait at once before new work is refused; what ends or frees work is never refused. */
const MAX_WAITING = 10_000;
const SHEDDABLE: ReadonlySet<CallName> = new Set(["commitUpload", "enqueue"]);
const NO_STATS: StateStats = { commits: 0, members: 0, fsyncs: 0, largestGroup: 0 };
/** EX_SOFTWARE of sysexits.h. */
const FATAL_EXIT_CODE = 70;
/** The worker makes short-lived garbage only; a small young generation keeps it from claiming memory that it does not need. */
const WORKER_YOUNG_MB = 8;

/** The main thread's end of the worker. Calls made in one turn of the event loop cross in one message, and so do their answers. */
export class Channel {
  readonly #worker: Worker;
  readonly #onFatal: (error: SluiceError) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<Listener>();
  readonly #backups = new Set<Promise<void>>();
  #calls: Call[] = [];
  #lastId = 0;
  #stats = NO_STATS;
  #closing: Promise<void> | null = null;

  constructor(worker: Worker, onFatal: (error: SluiceError) => void) {
    this.#worker = worker;
    this.#onFatal = onFatal;
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error) => this.#fail(crossed(error)));
    worker.on("exit", () => this.#ended());
  }

  call(name: CallName, args: readonly unknown[]): Promise<unknown> {
    const refused = this.#refusal(name);
    if (refused !== null) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve, reject });
      this.#calls.push([this.#lastId, name, args]);
      if (this.#calls.length === 1) setImmediate(() => this.#flush());
    });
  }

  /** The listener is called after the promises of the commit are settled; what it throws is a defect and ends the process. */
  subscribe(listener: Listener): () => void {
    const own: Listener = (notice) => listener(notice);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async backup(file: string): Promise<void> {
    if (this.#closing !== null) throw stopping("a backup");
    const done = this.#order((id) => [id, "backup", file]);
    this.#backups.add(done);
    try {
      await done;
    } finally {
      this.#backups.delete(done);
    }
  }

  stats(): StateStats {
    return this.#stats;
  }

  /** New calls are refused at once. @param readers ends what reads the database beside the worker, which goes first */
  close(readers: () => Promise<void> = async () => undefined): Promise<void> {
    this.#closing ??= this.#close(readers);
    return this.#closing;
  }

  async #close(readers: () => Promise<void>): Promise<void> {
    await readers();
    await Promise.allSettled(this.#backups);
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    await this.#order((id) => [id, "close"]);
    await ended;
  }

  #refusal(name: CallName): SluiceError | null {
    if (this.#closing !== null) return stopping(name);
    if (this.#waiting.size < MAX_WAITING || !SHEDDABLE.has(name)) return null;
    return new SluiceError("OVERLOADED", "Cannot take more work: too many changes wait for the disk (try again soon)");
  }

  #order(make: (id: number) => Order): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve: () => resolve(), reject });
      this.#flush();
      this.#post({ order: make(this.#lastId) });
    });
  }

  #flush(): void {
    const calls = this.#calls;
    if (calls.length === 0) return;
    this.#calls = [];
    this.#post({ calls });
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if ("fatal" in message) this.#fail(message.fatal);
    if (!("answers" in message)) return;
    if (message.stats !== null) this.#stats = message.stats;
    for (const answer of message.answers) this.#settle(answer);
    // Runs after everybody who was answered has gone on: what they ask next leaves before the next message is read.
    process.nextTick(() => this.#flush());
    if (message.notice !== null) this.#tell(message.notice);
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer[0]);
    this.#waiting.delete(answer[0]);
    if (answer[1]) waiting?.resolve(answer[2]);
    else waiting?.reject(fromCrossed(answer[2]));
  }

  #tell(notice: CommitNotice): void {
    for (const listener of this.#listeners) {
      try {
        listener(notice);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Nobody who waits is told that it failed: whether it did is unknown, and the process is about to end. */
  #fail(error: CrossedError): void {
    if (this.#closing === null) this.#closing = Promise.resolve();
    this.#onFatal(fromCrossed(error));
  }

  #ended(): void {
    if (this.#closing === null)
      this.#fail({ code: "INTERNAL", message: "Cannot go on: the state worker ended by itself" });
  }
}

/** Starts the worker and waits until its database is open. @throws what kept it from opening */
export async function openChannel(options: SqliteOptions): Promise<Channel> {
  const workerData: WorkerOptions = { file: options.file, reserveFile: options.reserveFile ?? null };
  const resourceLimits = { maxYoungGenerationSizeMb: WORKER_YOUNG_MB };
  const worker = startThread("./worker", import.meta.url, { workerData, resourceLimits });
  await opened(worker);
  return new Channel(worker, options.onFatal ?? endProcess);
}

function opened(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: CrossedError): void => {
      void worker.terminate();
      reject(fromCrossed(error));
    };
    worker.once("error", (error) => fail(crossed(error)));
    worker.once("message", (message: FromWorker) => {
      worker.removeAllListeners("error");
      if ("fatal" in message) fail(message.fatal);
      else resolve();
    });
  });
}

function endProcess(error: SluiceError): never {
  process.stderr.write(`sluice: ${error.code}: Cannot go on: the database could not be written: ${error.message}\n`);
  process.exit(FATAL_EXIT_CODE);
}

const stopping = (doing: string): SluiceError =>
  new SluiceError("STOPPING", `Cannot do ${doing}: the server is stopping`);

const crossed = (error: unknown): CrossedError => ({
  code: "INTERNAL",
  message: error instanceof Error ? error.message : String(error),
  stack: error instanceof Error ? error.stack : undefined,
});

function fromCrossed(error: CrossedError): SluiceError {
  const details = error.details === undefined ? {} : { details: { ...error.details } };
  if (error.stack === undefined) return new SluiceError(error.code, error.message, details);
  const cause = new Error(error.message);
  cause.stack = error.stack;
  return new SluiceError(error.code, error.message, { ...details, cause });
}
