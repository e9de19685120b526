import type { Answer } from "./route.ts";

export const json = (value: unknown, status = 200): Answer => ({ status, json: value });

export const empty = (status: 201 | 204, headers: Answer["headers"] = {}): Answer => ({ status, headers });

export const text = (body: string, status = 200): Answer => ({ status, text: body });

/** UTC ms as RFC 3339. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString();

export const rfc3339OrNull = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));

const MOST_WARNINGS = 20;
const LONGEST_WARNING = 500;

/** `Sluice-Warning` headers, for calls whose bodies are OSCAR's: percent-encoded where a character is not printable ASCII or is a comma, so
 *  that headers which a proxy joins with commas can be told apart. */
export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  return { "sluice-warning": warnings.slice(0, MOST_WARNINGS).map(headerText) };
}

function headerText(value: string): string {
  const short = value.slice(0, LONGEST_WARNING).toWellFormed();
  return short.trim().replace(/[^\x20-\x7e]|[%,]/gu, encodeURIComponent);
}
