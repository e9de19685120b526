import { connect, type Socket } from "node:net";

/** One answer as far as a benchmark needs it. */
export interface Answered {
  readonly status: number;
  readonly head: string;
  /** Bytes of the body that came. */
  readonly bytes: number;
}

const RECEIVE_BYTES = 256 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

/** One keep-alive connection that makes one request at a time with as little work as Node allows: no stream, no header object, and bodies
 *  are counted, not kept. */
export class Connection {
  readonly #socket: Socket;
  #head = Buffer.alloc(0);
  #inBody = false;
  #answer: { status: number; head: string; bytes: number; expected: number } | null = null;
  #settle: { resolve: (answer: Answered) => void; reject: (error: Error) => void; bodiless: boolean } | null = null;

  private constructor(port: number) {
    const buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
    const take = (count: number): boolean => {
      this.#receive(buffer.subarray(0, count));
      return true;
    };
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true, onread: { buffer, callback: take } });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("The server closed the connection")));
  }

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port);
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once("connect", resolve);
      connection.#socket.once("error", reject);
    });
    return connection;
  }

  /** @param head request line and headers with the empty line at their end */
  send(head: string, body: Uint8Array | null): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject, bodiless: head.startsWith("HEAD ") };
      if (body === null) this.#socket.write(head, "latin1");
      else {
        this.#socket.cork();
        this.#socket.write(head, "latin1");
        this.#socket.write(body);
        this.#socket.uncork();
      }
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    const rest = this.#inBody ? bytes : this.#readHead(bytes);
    const answer = this.#answer;
    if (rest === null || answer === null) return;
    answer.bytes += rest.length;
    if (answer.bytes < answer.expected) return;
    this.#inBody = false;
    this.#answer = null;
    this.#settle?.resolve(answer);
  }

  /** What follows the head, or null while it is not complete. */
  #readHead(bytes: Buffer): Buffer | null {
    const all = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = all.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = Buffer.from(all);
      return null;
    }
    const head = all.toString("latin1", 0, end);
    this.#head = Buffer.alloc(0);
    this.#inBody = true;
    this.#answer = { status: Number(head.slice(9, 12)), head, bytes: 0, expected: this.#bodyBytes(head) };
    return all.subarray(end + HEAD_END.length);
  }

  #bodyBytes(head: string): number {
    if (this.#settle?.bodiless === true) return 0;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`Cannot measure an answer without Content-Length:\n${head}`);
    return Number(length);
  }

  #fail(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = null;
  }
}
