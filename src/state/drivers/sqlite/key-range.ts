const LAST_CODE_POINT = 0x10ffff;
const SURROGATES = { first: 0xd800, behind: 0xe000 };

/** The first key, in UTF-8 byte order, behind all keys that start with `prefix`; null when there is no end. UTF-8 orders like code points,
 *  so the last code point that has a successor is raised by one. */
export function endOfPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  const next = last + 1 === SURROGATES.first ? SURROGATES.behind : last + 1;
  return String.fromCodePoint(...points, next);
}
