import type { Worker } from "node:worker_threads";
import { SluiceError } from "../../core/errors.ts";
import type { BlobFacts } from "../../core/object.ts";
import { startThread } from "../../lib/own-program.ts";
import { takeMemory } from "../body-memory.ts";
import type { FromHashWorker, ToHashWorker } from "./hash-messages.ts";

/** A body whose bytes may wait for the thread up to this; then its sender waits. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

interface Stream {
  waitingBytes: number;
  /** Waits for room. */
  room: PromiseWithResolvers<void> | null;
  /** Waits for the end. */
  end: PromiseWithResolvers<BlobFacts> | null;
}

/** Hashes large bodies beside the main thread: MD5 is half of what storing a large object takes, and cannot be cut in parts. The thread starts with the first
 *  such body. */
export class HashThread {
  readonly #streams = new Map<number, Stream>();
  #worker: Worker | null = null;
  #lastId = 0;
  #failure: SluiceError | null = null;

  /** @param startsAt as in `BlobHash` */
  open(startsAt: number): ThreadedHash {
    this.#worker ??= this.#start();
    this.#lastId += 1;
    const id = this.#lastId;
    this.#streams.set(id, { waitingBytes: 0, room: null, end: null });
    this.#tell({ id, kind: "open", startsAt });
    return new ThreadedHash(id, this);
  }

  /** Used by `ThreadedHash`. */
  add(id: number, pieces: readonly Uint8Array[]): void | Promise<void> {
    const stream = this.#stream(id);
    const own = pieces.map(ownPiece);
    for (const piece of own) stream.waitingBytes += piece.length;
    this.#tell(
      { id, kind: "add", pieces: own },
      own.map(({ buffer }) => buffer as ArrayBuffer),
    );
    if (stream.waitingBytes <= MOST_WAITING_BYTES) return;
    stream.room ??= Promise.withResolvers();
    return stream.room.promise;
  }

  end(id: number, blobId: string): Promise<BlobFacts> {
    const stream = this.#stream(id);
    stream.end = Promise.withResolvers();
    this.#tell({ id, kind: "end", blobId });
    return stream.end.promise;
  }

  drop(id: number): void {
    if (this.#streams.delete(id)) this.#tell({ id, kind: "drop" });
  }

  async close(): Promise<void> {
    this.#fail(new SluiceError("STOPPING", "Cannot store the body: the server is stopping"));
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = startThread("./hash-worker", import.meta.url);
    worker.unref();
    worker.on("message", (message: FromHashWorker) => this.#receive(message));
    worker.on("error", (cause) => {
      this.#fail(new SluiceError("INTERNAL", "Cannot store the body: the thread that hashes failed", { cause }));
    });
    return worker;
  }

  #tell(message: ToHashWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  /** @throws SluiceError when the thread failed, or the stream has ended */
  #stream(id: number): Stream {
    const stream = this.#streams.get(id);
    if (this.#failure !== null) throw this.#failure;
    if (stream === undefined) throw new Error("the body is hashed already");
    return stream;
  }

  #receive(message: FromHashWorker): void {
    const stream = this.#streams.get(message.id);
    if (stream === undefined) return;
    if (message.kind === "facts") {
      this.#streams.delete(message.id);
      stream.end?.resolve(message.facts);
      return;
    }
    stream.waitingBytes -= message.bytes;
    if (stream.room === null || stream.waitingBytes > MOST_WAITING_BYTES / 2) return;
    stream.room.resolve();
    stream.room = null;
  }

  #fail(failure: SluiceError): void {
    this.#failure ??= failure;
    for (const { room, end } of this.#streams.values()) {
      room?.reject(failure);
      end?.reject(failure);
    }
    this.#streams.clear();
  }
}

/** One body on its way through the thread. */
export class ThreadedHash {
  readonly #id: number;
  readonly #thread: HashThread;

  constructor(id: number, thread: HashThread) {
    [this.#id, this.#thread] = [id, thread];
  }

  /** Takes the pieces away: they are empty afterwards. Returns a promise only when the sender must wait. */
  add(pieces: readonly Uint8Array[]): void | Promise<void> {
    return this.#thread.add(this.#id, pieces);
  }

  facts(blobId: string): Promise<BlobFacts> {
    return this.#thread.end(this.#id, blobId);
  }

  /** Forgets a body that is not stored after all. Does nothing after `facts`. */
  drop(): void {
    this.#thread.drop(this.#id);
  }
}

/** The piece in memory of its own, which can be given to another thread: without a copy where nobody else has a part of it. */
function ownPiece(piece: Uint8Array): Uint8Array {
  return takeMemory(piece) ? piece : new Uint8Array(piece);
}
