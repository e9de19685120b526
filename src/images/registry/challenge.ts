/** How a registry wants to be asked. @see RFC 9110, 11.6.1; "Token Authentication Specification" of the Distribution project */
export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly parameters: Readonly<Record<string, string>>;
}

/** No registry needs more. Whoever answers may be anybody. */
const MAX_HEADER_CHARACTERS = 4096;

interface Read {
  readonly scheme: string;
  readonly parameters: Record<string, string>;
}

/** The challenge that can be met, Bearer first; null when there is none. More than one may stand in a header: `Scheme name="value", name=value`. */
export function parseChallenge(header: string): Challenge | null {
  if (header.length > MAX_HEADER_CHARACTERS) return null;
  const all = readChallenges(header).flatMap(({ scheme, parameters }) =>
    scheme === "basic" || scheme === "bearer" ? [{ scheme, parameters } as const] : [],
  );
  return all.find(({ scheme }) => scheme === "bearer") ?? all[0] ?? null;
}

/** Each is matched at one place only, so that a header is read in one pass. */
const SPACE = /[\s,]+/y;
const WORD = /[^\s,="]+/y;
const QUOTED = /="((?:\\.|[^"\\])*)"/y;
const PLAIN = /=([^\s,"]*)/y;

/** A word with a value is a parameter of the scheme before it; one without is a scheme. */
function readChallenges(header: string): Read[] {
  const found: Read[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match === null) return null;
    at = pattern.lastIndex;
    return match[1] ?? match[0];
  };
  while (at < header.length) {
    if (take(SPACE) !== null) continue;
    const word = take(WORD)?.toLowerCase();
    const value = take(QUOTED)?.replace(/\\(.)/g, "$1") ?? take(PLAIN);
    if (word === undefined) at += value === null ? 1 : 0;
    else if (value === null) found.push({ scheme: word, parameters: {} });
    else Object.assign(found.at(-1)?.parameters ?? {}, { [word]: value });
  }
  return found;
}
