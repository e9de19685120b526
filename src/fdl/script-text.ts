import { decodeUtf8 } from "../lib/utf8.ts";

/** As OSCAR's limit: there a script lies in a Kubernetes ConfigMap, which holds 1 MiB. */
const MAX_SCRIPT_BYTES = 1024 * 1024;

/** The text of a script with LF line ends, or why it cannot be one. */
export function scriptText(content: string | Uint8Array): { readonly text: string } | { readonly wrong: string } {
  const decoded = typeof content === "string" ? { text: content } : decodeUtf8(content);
  if ("wrongAt" in decoded) {
    const { line, column } = decoded.wrongAt;
    return { wrong: `the script is not valid UTF-8 (line ${line}, column ${column})` };
  }
  const text = decoded.text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (text.trim() === "") return { wrong: "the script is empty" };
  if (text.includes("\0")) return { wrong: "the script holds a NUL character: it is no text file" };
  if (!text.isWellFormed()) return { wrong: "the script is not valid Unicode" };
  const bytes = Buffer.byteLength(text, "utf8");
  return bytes > MAX_SCRIPT_BYTES
    ? { wrong: `the script has ${bytes} bytes, at most ${MAX_SCRIPT_BYTES} are taken` }
    : { text };
}
