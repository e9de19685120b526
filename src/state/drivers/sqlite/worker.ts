import { closeSync, openSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Answer, Call, FromWorker, Order, ToWorker, WorkerOptions } from "./calls.ts";
import { crossError, failure, GroupCommit } from "./group-commit.ts";
import { handle, isRead } from "./handlers.ts";
import { openStore, type Store } from "./store.ts";

/** Answers of a group go out in messages of so many: a larger group's first callers go on while the others are answered. Smaller messages
 *  tear groups apart, because the worker is faster than the main thread: it commits before the next callers are back. */
const ANSWERS_PER_MESSAGE = 64;
/** Pages in the WAL before they move to the database file: about 16 MiB. */
const CHECKPOINT_FRAMES = 4000;
/** Reads, of which one may be a thousand rows, are answered in smaller messages, between which they look at the clock. */
const READS_PER_MESSAGE = 12;
/** Reads give way to writes that came meanwhile after so long. */
const READS_TURN_MS = 10;

/** The worker thread that owns the database. Each turn of its event loop takes what waits, commits the writes as one group, answers them,
 *  and then does the reads. */
class StateWorker {
  readonly #port: MessagePort;
  readonly #store: Store;
  readonly #groups: GroupCommit;
  #writes: Call[] = [];
  #reads: Call[] = [];
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
    if ("order" in message) {
      this.#orders.push(message.order);
      return;
    }
    for (const call of message.calls) (isRead(call[1]) ? this.#reads : this.#writes).push(call);
  }

  #takeWaiting(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port))
      this.#take(next.message);
  }

  #turn(): void {
    try {
      this.#takeWaiting();
      this.#commitWrites();
      this.#doReads();
      this.#groups.checkpoint(CHECKPOINT_FRAMES);
    } catch (error) {
      this.#send({ fatal: crossError(error, "a commit") });
      this.#port.close();
      return;
    }
    this.#obeyOrders();
    if (this.#isBusy) setImmediate(() => this.#turn());
  }

  get #isBusy(): boolean {
    return this.#writes.length + this.#reads.length > 0;
  }

  #commitWrites(): void {
    if (this.#writes.length === 0) return;
    const { answers, notice } = this.#groups.run((room) => {
      if (this.#writes.length === 0) this.#takeWaiting();
      return this.#writes.splice(0, room);
    });
    for (let at = 0; at < answers.length; at += ANSWERS_PER_MESSAGE) {
      const isLast = at + ANSWERS_PER_MESSAGE >= answers.length;
      this.#send({
        answers: answers.slice(at, at + ANSWERS_PER_MESSAGE),
        notice: isLast ? notice : null,
        stats: isLast ? this.#groups.stats() : null,
      });
    }
  }

  #doReads(): void {
    const until = performance.now() + READS_TURN_MS;
    while (this.#reads.length > 0 && performance.now() < until) {
      const answers = this.#reads.splice(0, READS_PER_MESSAGE).map((call) => this.#read(call));
      this.#send({ answers, notice: null, stats: null });
    }
  }

  #read(call: Call): Answer {
    try {
      return [call[0], true, handle(this.#store, call[1], call[2])];
    } catch (error) {
      return failure(call, error);
    }
  }

  /** The order to close is the last message: it waits until all calls before it are done. */
  #obeyOrders(): void {
    const orders = this.#orders;
    this.#orders = [];
    for (const order of orders) {
      if (order[1] === "backup") this.#backup(order[0], order[2]);
      else if (this.#isBusy) this.#orders.push(order);
      else this.#close(order[0]);
    }
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
  finishCopy(to);
}

/** Unfinished uploads stay out: their files go on changing, so that a link to one would not keep what the copy says of it. */
const WITHOUT_OPEN_UPLOADS = `
  DELETE FROM blobs WHERE id IN (SELECT assembly FROM uploads WHERE completed_at IS NULL AND assembly IS NOT NULL
    UNION SELECT blob FROM parts WHERE blob IS NOT NULL);
  DELETE FROM parts;
  DELETE FROM uploads WHERE completed_at IS NULL;`;

/** A file in WAL mode could not be read from a read-only place. */
function finishCopy(file: string): void {
  const copy = new DatabaseSync(file);
  try {
    copy.exec("PRAGMA journal_mode=DELETE");
    copy.exec(`BEGIN; ${WITHOUT_OPEN_UPLOADS} COMMIT;`);
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
