import { SluiceError } from "../core/errors.ts";

/** Where a page of a listing begins: after which item, and how many were shown before it. */
export interface PageStart {
  readonly after: string;
  readonly seen: number;
}

/** An opaque token for clients that give it back as they got it; keys may hold any character, so it is base64url. */
export function encodePage({ after, seen }: PageStart): string {
  return Buffer.from(`${seen}:${after}`, "utf8").toString("base64url");
}

/** The start that a token stands for; an empty one is the first page.
 *  @throws SluiceError REQUEST_INVALID */
export function decodePage(token: string): PageStart {
  if (token === "") return { after: "", seen: 0 };
  const match = /^(\d{1,15}):(.+)$/s.exec(Buffer.from(token, "base64url").toString("utf8"));
  if (match === null) {
    throw new SluiceError(
      "REQUEST_INVALID",
      'Cannot show that page: "page" is not what an earlier page gave as next_page',
    );
  }
  return { after: match[2] ?? "", seen: Number(match[1]) };
}
