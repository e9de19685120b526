import { closeSync, openSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Answer, Call, FromWorker, Order, ToWorker, WorkerOptions } from "./calls.ts";
import { crossError, failure, GroupCommit } from "./group-commit.ts";
import { handle, isRead } from "./handlers.ts";
import { openStore, type Store } from "./store.ts";

/** Most calls of one group: bounds its time and what a failed commit repeats. */
const MAX_GROUP = 512;
/** Above this, half of what waits makes a group: while the main thread goes on with the answers of one half, this one commits the other.
 *  With all in one group each thread would wait for the other in turn. */
const SPLIT_ABOVE = 32;
/** Pages in the WAL before they move to the database file: about 16 MiB. */
const CHECKPOINT_FRAMES = 4000;

/** The worker thread that owns the database. Each turn of its event loop takes what waits, commits the writes as one group, answers them,
 *  and then does the reads; meanwhile the next group gathers in the port. */
class StateWorker {
  readonly #port: MessagePort;
  readonly #store: Store;
  readonly #groups: GroupCommit;
  #calls: Call[] = [];
  #orders: Order[] = [];

  constructor(port: MessagePort, options: WorkerOptions) {
    this.#port = port;
    this.#store = openStore(options.file);
    this.#groups = new GroupCommit(this.#store, options.reserveFile);
    port.on("message", (message: ToWorker) => {
      this.#take(message);
      this.#turn();
    });
    this.#send({ opened: true });
  }

  #take(message: ToWorker): void {
    if ("calls" in message) this.#calls.push(...message.calls);
    else this.#orders.push(message.order);
  }

  #turn(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port))
      this.#take(next.message);
    try {
      this.#runGroup(this.#calls.splice(0, groupSize(this.#calls.length)));
    } catch (error) {
      this.#send({ fatal: crossError(error, "a commit") });
      this.#port.close();
      return;
    }
    // The last order is to close, after which nothing comes.
    const ready = this.#calls.length === 0 ? this.#orders : this.#orders.filter((order) => order[1] !== "close");
    this.#orders = this.#orders.filter((order) => !ready.includes(order));
    for (const order of ready) this.#obey(order);
    if (this.#calls.length > 0) setImmediate(() => this.#turn());
  }

  #runGroup(calls: readonly Call[]): void {
    const writes = calls.filter((call) => !isRead(call[1]));
    if (writes.length > 0) {
      const { answers, notice } = this.#groups.run(writes);
      this.#send({ answers, notice, stats: this.#groups.stats() });
      this.#groups.checkpoint(CHECKPOINT_FRAMES);
    }
    const reads = calls.filter((call) => isRead(call[1]));
    if (reads.length > 0) this.#send({ answers: reads.map((call) => this.#read(call)), notice: null, stats: null });
  }

  #read(call: Call): Answer {
    try {
      return [call[0], true, handle(this.#store, call[1], call[2])];
    } catch (error) {
      return failure(call, error);
    }
  }

  #obey(order: Order): void {
    if (order[1] === "close") this.#close(order[0]);
    else this.#backup(order[0], order[2]);
  }

  #backup(id: number, to: string): void {
    copyDatabase(this.#store.db.file, to).then(
      () => this.#answer([id, true, undefined]),
      (error: unknown) => this.#answer([id, false, crossError(error, "the backup of the database")]),
    );
  }

  #close(id: number): void {
    this.#groups.checkpoint(0);
    this.#store.db.close();
    this.#answer([id, true, undefined]);
    this.#port.close();
  }

  #answer(answer: Answer): void {
    this.#send({ answers: [answer], notice: null, stats: null });
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}

function groupSize(waiting: number): number {
  return Math.min(MAX_GROUP, waiting > SPLIT_ABOVE ? Math.ceil(waiting / 2) : waiting);
}

/** Copies by a connection of its own in one step, on a thread of the pool: it sees one moment, and nobody waits for it. (In many steps it
 *  would start anew at every commit of the other connection.) */
async function copyDatabase(from: string, to: string): Promise<void> {
  closeSync(openSync(to, "wx", 0o600));
  const source = new DatabaseSync(from, { readOnly: true });
  try {
    await backup(source, to, { rate: ALL_PAGES });
  } finally {
    source.close();
  }
  leaveWal(to);
}

/** A file in WAL mode could not be read from a read-only place. */
function leaveWal(file: string): void {
  const copy = new DatabaseSync(file);
  try {
    copy.exec("PRAGMA journal_mode=DELETE");
  } finally {
    copy.close();
  }
}

const ALL_PAGES = 0x7fff_ffff;

if (parentPort === null) throw new Error("this file runs as a worker thread");
try {
  new StateWorker(parentPort, workerData as WorkerOptions);
} catch (error) {
  parentPort.postMessage({ fatal: crossError(error, "the opening of the database") } satisfies FromWorker);
}
