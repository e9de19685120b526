import { closeSync, constants, openSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errno } from "../../../lib/errno.ts";

/** Output that fits here may wait this long for its reader; most jobs end before, and need no reader at all. */
const READER_AFTER_MS = 20;
/** A reader that sees no end after every process is gone: somebody outside was handed the pipe. What they write is not the job's. */
const END_WITHIN_MS = 200;

const scratch = Buffer.alloc(64 * 1024);

/** Carries one FIFO of a slot to a consumer, in order and with back-pressure: while `deliver`'s promise is pending nothing more is
 *  read, the pipe fills, and the script waits. At most one chunk and one pipe (64 KiB each) are held. */
export class JobOutput {
  readonly #deliver: (chunk: Buffer) => void | Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #fd: number;
  #socket: Socket | null = null;
  #ended: Promise<void> | null = null;
  #delivering: Promise<void> = Promise.resolve();
  #closed = false;

  /** Opens the reading end; the writing end is opened by the job. `failed` hears the first error of `deliver`. */
  constructor(path: string, deliver: (chunk: Buffer) => void | Promise<void>, failed: (error: unknown) => void) {
    this.#deliver = deliver;
    this.#failed = failed;
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#timer = setTimeout(() => this.#startReader(), READER_AFTER_MS);
  }

  /** Delivers the rest and closes. Call it when every process of the job is gone. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#socket === null || this.#ended === null) await this.#readRest();
    else await this.#awaitEnd(this.#socket, this.#ended);
    this.close();
  }

  /** Closes without delivering what is left. Does nothing after `finish`. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket === null) closeSync(this.#fd);
    else this.#socket.destroy();
  }

  async #readRest(): Promise<void> {
    for (let length = this.#read(); length > 0; length = this.#read()) {
      await this.#deliver(Buffer.from(scratch.subarray(0, length)));
    }
  }

  /** Bytes now in `scratch`; 0 when there are no more. */
  #read(): number {
    try {
      return readSync(this.#fd, scratch, 0, scratch.length, null);
    } catch (error) {
      if (errno(error) === "EAGAIN") return 0;
      throw error;
    }
  }

  #startReader(): void {
    const socket = new Socket({ fd: this.#fd, readable: true, writable: false });
    this.#socket = socket;
    this.#ended = new Promise((resolve) => void socket.once("close", resolve));
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#take(socket, chunk));
  }

  #take(socket: Socket, chunk: Buffer): void {
    const fail = (error: unknown): void => {
      socket.destroy();
      this.#failed(error);
    };
    try {
      const busy = this.#deliver(chunk);
      if (busy === undefined) return;
      socket.pause();
      this.#delivering = busy.then(() => void socket.resume(), fail);
    } catch (error) {
      fail(error);
    }
  }

  /** The end comes when the last writer has closed. Only a process outside the sandbox that was handed the pipe can hold it open:
   *  then it is over once nothing has moved for a while. */
  async #awaitEnd(socket: Socket, ended: Promise<void>): Promise<void> {
    while (!socket.destroyed) {
      const [delivering, bytes] = [this.#delivering, socket.bytesRead];
      await Promise.race([ended, delivering.then(() => sleep(END_WITHIN_MS, undefined, { ref: false }))]);
      if (delivering === this.#delivering && bytes === socket.bytesRead && socket.readableLength === 0) break;
    }
    await this.#delivering;
  }
}
