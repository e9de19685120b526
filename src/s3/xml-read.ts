import { s3Error } from "./errors.ts";
import type { XmlElement } from "./xml-element.ts";

/** Requests carry at most 1,000 keys of 1,024 bytes with their tags; answers hold as many. */
const MAX_XML_BYTES = 4 * 1024 * 1024;
/** S3's documents are five deep. */
const MAX_DEPTH = 32;
/** A completion of 10,000 parts with a checksum each has 40,000. */
const MAX_ELEMENTS = 100_000;
/** S3's elements carry a name space or two. */
const MAX_ATTRIBUTES = 32;

const NAME = /[^\s<>/="'&!?]+/y;
const ATTRIBUTE = /\s+[^\s<>/="'&]+\s*=\s*(?:"[^"<]*"|'[^'<]*')/y;
const TAG_END = /\s*(\/?)>/y;
const SPACE = /\s*/y;

interface OpenElement {
  readonly qualified: string;
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

/** Reads a document of at most `maxBytes` (default 4 MiB) and returns its root.
 *
 *  A reader of our own, for the part of XML 1.0 that S3 speaks: elements, attributes (read over), text with the five named entities and
 *  references by number, comments and processing instructions (read over). A document type or CDATA is refused, so that no text can grow and
 *  nothing else is read. One pass, in time that grows with the length alone, whatever the document.
 *  @throws SluiceError S3 EntityTooLarge, MalformedXML */
export function readXml(text: string, maxBytes = MAX_XML_BYTES): XmlElement {
  if (Buffer.byteLength(text) > maxBytes) {
    throw s3Error("EntityTooLarge", `Cannot read the XML body: it is longer than ${maxBytes} bytes`);
  }
  return new XmlReader(text).document();
}

class XmlReader {
  readonly #text: string;
  readonly #open: OpenElement[] = [];
  #at = 0;
  #elements = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): XmlElement {
    if (this.#text.startsWith("\ufeff")) this.#at = 1;
    this.#between();
    if (this.#text[this.#at] !== "<") throw malformed("it does not begin with an element");
    const root = this.#element();
    this.#between();
    if (this.#at < this.#text.length) throw malformed("something follows its root");
    return root;
  }

  /** Reads over what may stand around the root. */
  #between(): void {
    do this.#match(SPACE);
    while (this.#skipped());
  }

  /** From the root's first tag to its last. */
  #element(): XmlElement {
    for (;;) {
      const done = this.#next();
      if (done !== null) return done;
      const tag = this.#text.indexOf("<", this.#at);
      if (tag < 0) throw malformed("an element does not end");
      const open = this.#open.at(-1);
      if (open !== undefined && tag > this.#at) open.text += unescapeXml(this.#text.slice(this.#at, tag));
      this.#at = tag;
    }
  }

  /** Handles one tag; returns the root when it ends. */
  #next(): XmlElement | null {
    if (this.#skipped()) return null;
    if (this.#text.startsWith("</", this.#at)) return this.#endTag();
    return this.#startTag();
  }

  /** Comments and processing instructions. */
  #skipped(): boolean {
    if (this.#text.startsWith("<!--", this.#at)) return this.#skipTo("-->", 4);
    if (this.#text.startsWith("<?", this.#at)) return this.#skipTo("?>", 2);
    if (this.#text.startsWith("<!", this.#at)) throw malformed("it declares a document type or holds CDATA");
    return false;
  }

  #skipTo(end: string, from: number): true {
    const found = this.#text.indexOf(end, this.#at + from);
    if (found < 0) throw malformed(`"${end}" is missing`);
    this.#at = found + end.length;
    return true;
  }

  #startTag(): XmlElement | null {
    this.#elements += 1;
    if (this.#elements > MAX_ELEMENTS) throw malformed(`it has more than ${MAX_ELEMENTS} elements`);
    if (this.#open.length === MAX_DEPTH) throw malformed(`it is more than ${MAX_DEPTH} elements deep`);
    this.#at += 1;
    const qualified = this.#match(NAME)?.[0];
    if (qualified === undefined) throw malformed("a tag has no name");
    for (let count = 0; this.#match(ATTRIBUTE) !== null; count++) {
      if (count === MAX_ATTRIBUTES) throw malformed(`an element has more than ${MAX_ATTRIBUTES} attributes`);
    }
    const end = this.#match(TAG_END);
    if (end === null) throw malformed(`the tag of "${shown(qualified)}" does not end`);
    this.#open.push({ qualified, name: qualified.slice(qualified.indexOf(":") + 1), children: [], text: "" });
    return end[1] === "/" ? this.#close() : null;
  }

  #endTag(): XmlElement | null {
    this.#at += 2;
    const qualified = this.#match(NAME)?.[0] ?? "";
    const end = this.#match(TAG_END);
    if (end === null || end[1] === "/" || this.#open.at(-1)?.qualified !== qualified) {
      throw malformed(`"</${shown(qualified)}" ends no open element`);
    }
    return this.#close();
  }

  #close(): XmlElement | null {
    const element = this.#open.pop();
    if (element === undefined) throw malformed("it has no root");
    const { name, text, children } = element;
    const parent = this.#open.at(-1);
    if (parent === undefined) return { name, text, children };
    parent.children.push({ name, text, children });
    return null;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6});|#(\d{1,7});|([a-zA-Z]{1,8});)?/g, (whole, hex, decimal, name) => {
    const named = name === undefined ? undefined : NAMED[name];
    if (named !== undefined) return named;
    const code = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (!isCharacter) throw malformed(`"${shown(whole)}" stands for no character`);
    return String.fromCodePoint(code);
  });
}

/** Long names are cut: they come from outside and go into the answer. */
const shown = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text);

function malformed(what: string): Error {
  return s3Error("MalformedXML", `Cannot read the XML body: ${what}`);
}
