/** How a registry wants to be asked. @see RFC 9110, 11.6.1; "Token Authentication Specification" of the Distribution project */
export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly parameters: Readonly<Record<string, string>>;
}

/** `Scheme name="value", name=value`; more than one may stand in a header, with commas between them too. */
const CHALLENGE = /([A-Za-z][\w-]*)[ \t]+((?:[\w-]+="(?:\\.|[^"\\])*"|[\w-]+=[^\s,"]*|[ \t]*,[ \t]*)+)/g;
const PARAMETER = /([\w-]+)=(?:"((?:\\.|[^"\\])*)"|([^\s,"]*))/g;

/** The challenge that can be met, Bearer first; null when there is none. */
export function parseChallenge(header: string): Challenge | null {
  const all = [...header.matchAll(CHALLENGE)].flatMap(([, scheme = "", parameters = ""]) => known(scheme, parameters));
  return all.find(({ scheme }) => scheme === "bearer") ?? all[0] ?? null;
}

function known(name: string, text: string): Challenge[] {
  const scheme = name.toLowerCase();
  if (scheme !== "basic" && scheme !== "bearer") return [];
  const parameters = [...text.matchAll(PARAMETER)].map(([, key = "", quoted, plain = ""]) => [
    key.toLowerCase(),
    quoted?.replace(/\\(.)/g, "$1") ?? plain,
  ]);
  return [{ scheme, parameters: Object.fromEntries(parameters) }];
}
