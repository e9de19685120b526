import { isUtf8 } from "node:buffer";
import { s3Error } from "./errors.ts";

/** S3 lets 20 KB stand before the file. */
const MAX_FIELD_BYTES = 20 * 1024;
/** What may follow the file: an end, and fields that nobody reads. */
const MAX_REST_BYTES = 20 * 1024;
const MAX_HEAD_BYTES = 4 * 1024;

const CR = 0x0d;

/** A browser's form, read up to the bytes of its file. */
export interface FormUpload {
  /** Values by lower-case name; what stands behind the file is not read. */
  readonly fields: ReadonlyMap<string, string>;
  /** As the browser said, without its folders; "" when it said none. */
  readonly fileName: string;
  /** The file while it arrives. Throws at its end when the form is cut short: what was taken before is then void. */
  readonly file: AsyncIterable<Uint8Array>;
  /** Lets go of the source, read to its end or not. To be called in any case. */
  close(): Promise<void>;
}

/** The boundary of a `multipart/form-data` body, or null when the body is none.
 *  @see RFC 2046, section 5.1.1 */
export function formBoundary(contentType: string | undefined): string | null {
  if (!/^multipart\/form-data\s*;/i.test(contentType ?? "")) return null;
  const match = /;\s*boundary=(?:"([^"]*)"|([^\s;"]*))/i.exec(contentType ?? "");
  const boundary = match?.[1] ?? match?.[2] ?? "";
  return /^[\x20-\x7e]{1,70}$/.test(boundary) ? boundary : null;
}

/** Reads a form up to its file, which must be called `file` and come last. It keeps the fields and at most one boundary of the file.
 *  @throws SluiceError S3 MalformedPOSTRequest, MaxPostPreDataLengthExceededError, IncorrectNumberOfFilesInPostRequest
 *  @see RFC 7578; https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html */
export async function readForm(source: AsyncIterable<Uint8Array>, boundary: string): Promise<FormUpload> {
  const iterator = source[Symbol.asyncIterator]();
  const close = async (): Promise<void> => {
    await iterator.return?.();
  };
  try {
    const reader = new PartReader(iterator, boundary);
    const fields = new Map<string, string>();
    await reader.start(MAX_FIELD_BYTES);
    const fileName = await readFields(reader, fields);
    return { fields, fileName, file: fileOf(reader), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Up to the head of the file, whose name it returns. */
async function readFields(reader: PartReader, fields: Map<string, string>): Promise<string> {
  for (;;) {
    const head = await reader.head(MAX_FIELD_BYTES);
    if (head === null) {
      throw s3Error("IncorrectNumberOfFilesInPostRequest", 'Cannot store the form: it has no field "file"');
    }
    const { name, fileName } = readHead(head);
    if (name === "file") return fileName;
    if (fields.has(name)) throw malformed("a field is there twice");
    const value = await reader.value(MAX_FIELD_BYTES);
    if (!isUtf8(value)) throw malformed("a field is not valid UTF-8");
    fields.set(name, value.toString("utf8"));
  }
}

/** Whatever follows the file has to end as a form does: a form that was cut is not stored. */
async function* fileOf(reader: PartReader): AsyncGenerator<Uint8Array> {
  yield* reader.pieces();
  await reader.skipRest(MAX_REST_BYTES);
}

/** Splits a multipart body at its boundaries, whatever pieces it arrives in.
 *
 *  ```
 *  start() ──▶ head() ──▶ value() or pieces() ──▶ head() … ──▶ head() is null: the end
 *  ```
 *  A boundary is a line of its own, so it is looked for with the line break before it; the first one has none, and gets one put in front. */
class PartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  /** What has come and was not given out yet. */
  #held: Buffer = Buffer.from("\r\n");
  /** Bytes read outside of the file. */
  #read = 0;

  constructor(source: AsyncIterator<Uint8Array>, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  }

  /** Reads over what stands before the first boundary. */
  async start(maxBytes: number): Promise<void> {
    await this.#until(this.#delimiter, maxBytes);
  }

  /** The header lines of the next part, or null behind the last one. */
  async head(maxBytes: number): Promise<Buffer | null> {
    while (this.#held.length < 2) await this.#more();
    // The last line of a form may have no break.
    if (this.#held.subarray(0, 2).equals(END)) return null;
    const line = await this.#until(LINE_END, maxBytes);
    if (line.toString("latin1").trim() !== "") throw malformed("a boundary does not end with its line");
    // The empty line that ends a head without lines has its first break already.
    this.#held = Buffer.concat([LINE_END, this.#held]);
    const head = await this.#until(HEAD_END, maxBytes);
    if (head.length > MAX_HEAD_BYTES) throw malformed(`the head of a part is longer than ${MAX_HEAD_BYTES} bytes`);
    return head;
  }

  /** All bytes of the part. */
  value(maxBytes: number): Promise<Buffer> {
    return this.#until(this.#delimiter, maxBytes);
  }

  /** The bytes of the part as they come. What could be the start of a boundary waits for the next piece. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const end = this.#held.indexOf(this.#delimiter);
      if (end >= 0) {
        const last = this.#held.subarray(0, end);
        this.#held = this.#held.subarray(end + this.#delimiter.length);
        if (last.length > 0) yield last;
        return;
      }
      const safe = this.#held.length - this.#startOfDelimiter();
      const piece = this.#held.subarray(0, safe);
      this.#held = this.#held.subarray(safe);
      if (piece.length > 0) yield piece;
      await this.#more();
    }
  }

  /** Reads the parts that are left, and what stands behind the last of them. */
  async skipRest(maxBytes: number): Promise<void> {
    this.#read = 0;
    while ((await this.head(maxBytes)) !== null) await this.value(maxBytes);
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done === true) return;
      this.#count(value.length, maxBytes);
    }
  }

  /** How many bytes at the end may be the start of a delimiter, which begins with the only CR in it. */
  #startOfDelimiter(): number {
    const from = Math.max(0, this.#held.length - this.#delimiter.length + 1);
    const at = this.#held.subarray(from).lastIndexOf(CR);
    if (at < 0) return 0;
    const tail = this.#held.subarray(from + at);
    return this.#delimiter.subarray(0, tail.length).equals(tail) ? tail.length : 0;
  }

  /** Everything before a mark, which is read over. */
  async #until(mark: Buffer, maxBytes: number): Promise<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) {
        const before = this.#held.subarray(0, at);
        this.#count(at + mark.length, maxBytes);
        this.#held = this.#held.subarray(at + mark.length);
        return before;
      }
      // Counted when it is taken: this bounds what is kept while the mark does not come.
      if (this.#read + this.#held.length > maxBytes) throw tooLong(maxBytes);
      await this.#more();
    }
  }

  #count(bytes: number, maxBytes: number): void {
    this.#read += bytes;
    if (this.#read > maxBytes) throw tooLong(maxBytes);
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done === true) throw malformed("it ends before its last boundary");
    const piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
  }
}

const END = Buffer.from("--");
const LINE_END = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");

/** What a part's `Content-Disposition` says. */
function readHead(head: Buffer): { readonly name: string; readonly fileName: string } {
  if (!isUtf8(head)) throw malformed("the head of a part is not valid UTF-8");
  const lines = head.toString("utf8").split("\r\n");
  const disposition = lines.find((line) => /^content-disposition\s*:/i.test(line)) ?? "";
  const parameters = /^content-disposition\s*:\s*form-data\s*(;.*)$/i.exec(disposition)?.[1];
  if (parameters === undefined) throw malformed("a part has no Content-Disposition of form-data");
  const found = dispositionParameters(parameters);
  const name = found.get("name") ?? "";
  if (name === "") throw malformed("a part has no name");
  const fileName = extendedName(found.get("filename*")) ?? found.get("filename") ?? "";
  return { name: name.toLowerCase(), fileName: bareName(fileName) };
}

/** Browsers write the quotes and line breaks of a name as percent escapes and nothing else; curl writes them with a backslash.
 *  @see https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data */
function dispositionParameters(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = "", quoted, bare] of text.matchAll(/;\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g)) {
    const value = quoted?.replace(/\\(["\\])/g, "$1") ?? bare ?? "";
    const plain = value.replace(/%22|%0D|%0A/gi, (written) => decodeURIComponent(written));
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), plain);
  }
  return found;
}

/** @see RFC 5987 */
function extendedName(text: string | undefined): string | null {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(text ?? "")?.[1];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw malformed("the name of the file is not percent-encoded UTF-8");
  }
}

/** Some browsers say the folder too. */
const bareName = (name: string): string => name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);

function tooLong(maxBytes: number): Error {
  return s3Error(
    "MaxPostPreDataLengthExceededError",
    `Cannot store the form: more than ${maxBytes} bytes stand beside its file`,
  );
}

function malformed(what: string): Error {
  return s3Error("MalformedPOSTRequest", `Cannot read the form: ${what}`);
}
