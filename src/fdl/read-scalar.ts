import { parseBytes, parseCpuMilli } from "../core/resources.ts";
import { parseDuration } from "../lib/duration.ts";
import { nearest } from "../lib/nearest.ts";
import type { Json, TreeScalar } from "../lib/tree.ts";
import type { ValueType } from "./key-row.ts";

/** What a scalar comes to under a type: its canonical value, or why not. */
export type Reading =
  | { readonly value: Json; readonly warning?: string }
  | { readonly wrong: string; readonly suggestion: string | null };

const TRUE = /^(true|yes|on)$/i;
const FALSE = /^(false|no|off)$/i;

const wrong = (message: string, suggestion: string | null = null): Reading => ({ wrong: message, suggestion });

/** Reads one value. Quantities and durations stay texts as they were written, so that answers give back what was sent. */
export function readScalar(node: TreeScalar, type: ValueType): Reading {
  switch (type.is) {
    case "text":
    case "secret":
      return readText(node, type.is === "secret");
    case "integer":
      return readInteger(node);
    case "boolean":
      return readBoolean(node);
    case "cpu":
      return readQuantity(node, parseCpuMilli, "no number of cores", "write for example 0.5 or 500m");
    case "bytes":
      return readQuantity(node, parseBytes, "no quantity of bytes", "write for example 256Mi or 1Gi");
    case "duration":
      return readQuantity(node, parseDuration, "no duration", "write for example 90s, 10m or 1h30m");
    case "choice":
      return readChoice(node, type);
    default:
      return wrong(`${shown(node)} stands where ${expected(type)} belongs`);
  }
}

/** Any scalar as a text, for environment variables: `SEND: false` and `PORT: 080` mean what was written. */
export function plainText(node: TreeScalar): string {
  return typeof node.value === "string" ? node.value : node.value === null ? "" : node.text;
}

/** What a type takes, in words. */
export function expected(type: ValueType): string {
  switch (type.is) {
    case "texts":
      return "a list of texts";
    case "integers":
      return "a list of whole numbers";
    case "text map":
    case "secret map":
      return "a map of names to texts";
    case "section":
    case "section map":
      return "a map";
    case "sections":
      return "a list of maps";
    case "text":
    case "secret":
      return "a text";
    default:
      return "a single value";
  }
}

function readText(node: TreeScalar, secret: boolean): Reading {
  if (typeof node.value === "boolean")
    return wrong(`${shown(node)} stands where a text belongs`, `write '${node.text}'`);
  const text = plainText(node);
  if (text.includes("\0")) return wrong("the text holds a NUL character");
  if (text.isWellFormed()) return { value: text };
  return wrong(secret ? "the text is not valid Unicode" : `${JSON.stringify(text)} is not valid Unicode`);
}

function readInteger(node: TreeScalar): Reading {
  const text = plainText(node).trim();
  const number = typeof node.value === "number" ? node.value : /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? { value: number } : wrong(`${shown(node)} is no whole number`);
}

function readBoolean(node: TreeScalar): Reading {
  if (typeof node.value === "boolean") return { value: node.value };
  const text = plainText(node).trim();
  if (TRUE.test(text)) return { value: true };
  return FALSE.test(text) ? { value: false } : wrong(`${shown(node)} is neither true nor false`);
}

function readQuantity(
  node: TreeScalar,
  parse: (text: string) => number | null,
  message: string,
  suggestion: string,
): Reading {
  const text = plainText(node).trim();
  const amount = typeof node.value === "boolean" ? null : parse(text);
  if (amount === null || !Number.isFinite(amount)) return wrong(`${shown(node)} is ${message}`, suggestion);
  if (amount > Number.MAX_SAFE_INTEGER) return wrong(`${shown(node)} is too large`);
  return { value: text };
}

function readChoice(node: TreeScalar, type: Extract<ValueType, { is: "choice" }>): Reading {
  const text = plainText(node).trim();
  const found = type.of.find((word) => word.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return { value: found };
  if (type.or !== undefined)
    return { value: type.or, warning: `is ${shown(node)}, which is none of ${type.of.join(", ")}: ${type.or} is used` };
  const near = nearest(text, type.of);
  return wrong(`${shown(node)} is none of ${type.of.join(", ")}`, near === null ? null : `did you mean ${near}?`);
}

/** A value as messages show it: bounded, on one line. */
function shown(node: TreeScalar): string {
  const text = node.text.length > 60 ? `${node.text.slice(0, 60)}…` : node.text;
  return JSON.stringify(text);
}
