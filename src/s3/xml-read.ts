import { XMLParser } from "fast-xml-parser";
import { s3Error } from "./errors.ts";
import type { XmlElement } from "./xml-element.ts";

/** Requests carry at most 1,000 keys of 1,024 bytes with their tags; answers hold as many. */
const MAX_XML_BYTES = 4 * 1024 * 1024;

/** Entities stay unread by the parser: the five that XML knows and numbers are put in afterwards, and a document that declares its own
 *  is refused, so that no text can grow. */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
});

/** Reads a document of at most `maxBytes` (default 4 MiB) and returns its root.
 *  @throws SluiceError S3 EntityTooLarge, MalformedXML */
export function readXml(text: string, maxBytes = MAX_XML_BYTES): XmlElement {
  if (Buffer.byteLength(text) > maxBytes) {
    throw s3Error("EntityTooLarge", `Cannot read the XML body: it is longer than ${maxBytes} bytes`);
  }
  if (text.includes("<!"))
    throw s3Error("MalformedXML", "Cannot read the XML body: it declares a document type or holds CDATA");
  const roots = elements(parse(text));
  const [root] = roots;
  if (root === undefined || roots.length > 1)
    throw s3Error("MalformedXML", "Cannot read the XML body: it has no single root");
  return root;
}

function parse(text: string): unknown {
  try {
    return parser.parse(text, true);
  } catch (cause) {
    throw s3Error(
      "MalformedXML",
      `Cannot read the XML body: ${cause instanceof Error ? cause.message : "it is not well-formed"}`,
    );
  }
}

/** The parser's ordered form is a list of `{name: list}` and `{"#text": text}`. */
function elements(nodes: unknown): XmlElement[] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: unknown) => {
    const [entry] = Object.entries(node ?? {});
    if (entry === undefined || entry[0] === "#text") return [];
    const [name, content] = entry;
    return [{ name, text: textOf(content), children: elements(content) }];
  });
}

function textOf(nodes: unknown): string {
  if (!Array.isArray(nodes)) return "";
  const parts = nodes.map((node: unknown) => {
    const text = node !== null && typeof node === "object" && "#text" in node ? node["#text"] : "";
    return typeof text === "string" ? text : "";
  });
  return unescapeXml(parts.join(""));
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) {
      const character = NAMED[name];
      if (character === undefined)
        throw s3Error("MalformedXML", `Cannot read the XML body: the entity "${whole}" is unknown`);
      return character;
    }
    const code = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    if (code > 0x10ffff) throw s3Error("MalformedXML", `Cannot read the XML body: "${whole}" is no character`);
    return String.fromCodePoint(code);
  });
}
