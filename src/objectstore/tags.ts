import { s3Error } from "../s3/errors.ts";
import { parseQuery } from "../s3/uri-encoding.ts";
import { childrenNamed, childText, type XmlElement } from "../s3/xml-element.ts";
import { element, xmlDocument } from "../s3/xml-write.ts";

type Tags = Readonly<Record<string, string>>;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
const MAX_KEY_CHARACTERS = 128;
const MAX_VALUE_CHARACTERS = 256;
export const MAX_OBJECT_TAGS = 10;
export const MAX_BUCKET_TAGS = 50;

/** The tags of an `x-amz-tagging` header: `key=value&key=value`, percent-encoded.
 *  @throws SluiceError S3 InvalidTag, InvalidArgument */
export function readTagHeader(text: string | undefined): Tags {
  if (text === undefined || text === "") return {};
  return checkedTags(parseQuery(text), MAX_OBJECT_TAGS);
}

/** The tags of a `Tagging` element. @throws SluiceError S3 MalformedXML, InvalidTag */
export function readTags(root: XmlElement, most: number): Tags {
  const [set] = childrenNamed(root, "TagSet");
  if (set === undefined) {
    throw s3Error("MalformedXML", "Cannot read the tags: the document has no TagSet");
  }
  const pairs = childrenNamed(set, "Tag").map((tag): [string, string] => {
    const key = childText(tag, "Key");
    const value = childText(tag, "Value");
    if (key === undefined || value === undefined)
      throw s3Error("MalformedXML", "Cannot read the tags: a Tag has no Key or no Value");
    return [key, value];
  });
  return checkedTags(pairs, most);
}

export function tagDocument(tags: Tags): string {
  const each = Object.entries(tags).map(([key, value]) =>
    element("Tag", [element("Key", key), element("Value", value)]),
  );
  return xmlDocument("Tagging", [element("TagSet", each)]);
}

function checkedTags(pairs: ReadonlyArray<readonly [string, string]>, most: number): Tags {
  // Clients choose the names: `__proto__` is one like any other.
  const tags: Record<string, string> = Object.create(null);
  if (pairs.length > most) {
    throw s3Error("InvalidTag", `Cannot use these tags: there are ${pairs.length}, at most ${most} are allowed`);
  }
  for (const [key, value] of pairs) {
    if (Object.hasOwn(tags, key)) throw s3Error("InvalidTag", `Cannot use these tags: "${key}" is there twice`);
    checkTag(key, value);
    tags[key] = value;
  }
  return tags;
}

function checkTag(key: string, value: string): void {
  if (key === "" || [...key].length > MAX_KEY_CHARACTERS) {
    throw s3Error("InvalidTag", `Cannot use a tag's key: it must have 1 to ${MAX_KEY_CHARACTERS} characters`);
  }
  if ([...value].length > MAX_VALUE_CHARACTERS) {
    throw s3Error(
      "InvalidTag",
      `Cannot use the tag "${key}": its value has more than ${MAX_VALUE_CHARACTERS} characters`,
    );
  }
}
