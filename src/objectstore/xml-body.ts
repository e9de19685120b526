import { isUtf8 } from "node:buffer";
import { s3Error } from "../s3/errors.ts";
import type { XmlElement } from "../s3/xml-element.ts";
import { readXml } from "../s3/xml-read.ts";
import { readSmallBody } from "./body.ts";
import type { Call } from "./call.ts";

const MAX_BYTES = 1024 * 1024;

/** The request's body, which must be a document with this root.
 *  @param maxBytes default 1 MiB
 *  @throws SluiceError S3 MalformedXML, EntityTooLarge, BadDigest */
export async function readXmlBody(call: Call, root: string, maxBytes = MAX_BYTES): Promise<XmlElement> {
  return parseXmlBody(await readSmallBody(call, maxBytes), root);
}

/** Of any length: whoever read the body has set its limit. @throws SluiceError S3 MalformedXML */
export function parseXmlBody(body: Uint8Array, root: string): XmlElement {
  if (!isUtf8(body)) throw s3Error("MalformedXML", "Cannot read the XML body: it is not valid UTF-8");
  const element = readXml(Buffer.from(body).toString("utf8"), Number.MAX_SAFE_INTEGER);
  if (element.name !== root) {
    throw s3Error("MalformedXML", `Cannot read the XML body: it is no "${root}"`);
  }
  return element;
}
