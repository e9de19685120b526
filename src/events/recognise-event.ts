import { isObject, isTestEvent, type ObjectRecord, objectRecords } from "./storage-event.ts";

/** What a call's body is: a notification of a storage system, one that asks for nothing, or no event of any format we know, in which case
 *  the body itself is the input. */
export type Recognised =
  | { readonly kind: "objects"; readonly records: readonly ObjectRecord[] }
  | { readonly kind: "nothing" }
  | { readonly kind: "body"; readonly json: boolean };

/** Longer bodies are data: notifications hold at most a few hundred records of about 1 KiB. */
export const MAX_EVENT_BYTES = 1024 * 1024;

/** Looks at a body of at most `MAX_EVENT_BYTES`. Never throws: what is broken is no event. */
export function recogniseEvent(body: Uint8Array): Recognised {
  const value = parse(body);
  if (value === undefined) return { kind: "body", json: false };
  if (!isObject(value)) return { kind: "body", json: true };
  if (isTestEvent(value)) return { kind: "nothing" };
  const records = objectRecords(value);
  if (records === null) return { kind: "body", json: true };
  return records.length === 0 ? { kind: "nothing" } : { kind: "objects", records };
}

/** Undefined when the body is not UTF-8 or not JSON. */
function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
