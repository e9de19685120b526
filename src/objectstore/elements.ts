import { element } from "../s3/xml-write.ts";
import { checksumType } from "./object-headers.ts";

type Checksums = Readonly<Record<string, string>>;

/** `Owner` and the like: nobody has a name besides the one that he signs in with. */
export function personElement(name: "Owner" | "Initiator" | "Grantee", subject: string): string {
  return element(name, [element("ID", subject), element("DisplayName", subject)]);
}

/** `ChecksumCRC32` and the like, with their values. */
export function checksumElements(checksums: Checksums): string[] {
  return Object.entries(checksums).map(([name, value]) => element(`Checksum${name.toUpperCase()}`, value));
}

/** An object's checksums, and what they are of. */
export function objectChecksumElements(checksums: Checksums): string[] {
  const elements = checksumElements(checksums);
  return elements.length === 0 ? [] : [...elements, element("ChecksumType", checksumType(checksums))];
}

/** What an upload in parts announced. */
export function announcedChecksumElements(
  checksum: { readonly algorithm: string; readonly type: string } | null,
): string[] {
  if (checksum === null) return [];
  return [element("ChecksumAlgorithm", checksum.algorithm.toUpperCase()), element("ChecksumType", checksum.type)];
}

/** `CommonPrefixes` of a listing. @param show writes a key as the client wants to read it */
export function prefixElements(prefixes: readonly string[], show: (text: string) => string): string[] {
  return prefixes.map((prefix) => element("CommonPrefixes", [element("Prefix", show(prefix))]));
}
