/** What `&`, `<`, `>`, quotes and line ends become; the other characters XML 1.0 cannot hold are written as references, as S3 does
 *  (a client that meets them should ask for `encoding-type=url`). */
const NAMED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not go out raw
const SPECIAL = /[&<>"'\u0000-\u001f\u007f\ufffe\uffff]/g;

/** Text as XML content or attribute value. */
export function escapeXml(text: string): string {
  return text.replace(SPECIAL, (character) => NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16)};`);
}

/** One element: text is escaped; an array is child elements that are XML already. */
export function element(name: string, content: string | number | boolean | readonly string[]): string {
  const inner = Array.isArray(content) ? content.join("") : escapeXml(String(content));
  return inner === "" ? `<${name}/>` : `<${name}>${inner}</${name}>`;
}

/** A whole document with S3's name space on its root. */
export function xmlDocument(root: string, children: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${children.join("")}</${root}>`;
}

/** S3's error document. It has no name space. */
export function errorDocument(fields: Readonly<Record<string, string>>): string {
  const children = Object.entries(fields).map(([name, value]) => element(name, value));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${children.join("")}</Error>`;
}
