import { invalidArchive } from "./tar-header.ts";

/** Those that say something here. All others are passed over, so that an archive cannot make every member carry thousands. */
const KNOWN = new Set([
  "path",
  "linkpath",
  "size",
  "uid",
  "gid",
  "mtime",
  "GNU.sparse.major",
  "GNU.sparse.name",
  "GNU.sparse.realsize",
  "GNU.sparse.size",
  "GNU.sparse.map",
  "GNU.sparse.numblocks",
]);

/** Records of a pax header: `<length> <key>=<value>\\n`, where the length counts all of it. Raw bytes as one character each; an empty value
 *  takes the key back. @throws SluiceError IMAGE_INVALID */
export function readPaxRecords(bytes: Buffer): Map<string, string> {
  const text = bytes.toString("latin1");
  const records = new Map<string, string>();
  let at = 0;
  while (at < text.length && text[at] !== "\0") {
    const [, digits = "", key = ""] = /^(\d{1,10}) ([^=\n]+)=/.exec(text.slice(at, at + 300)) ?? [];
    const length = Number(digits);
    const start = at + digits.length + 1 + key.length + 1;
    const end = at + length;
    if (digits === "" || end > text.length || end <= start || text[end - 1] !== "\n")
      throw invalidArchive("a pax record is broken");
    if (KNOWN.has(key)) records.set(key, text.slice(start, end - 1));
    at = end;
  }
  return records;
}
