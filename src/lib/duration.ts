const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The longest time a Node timer can wait; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds of a duration as people write it (`10m`, `90s`, `1h30m`, `500ms`, `30d`; a bare number is seconds), rounded;
 *  null when it is none. Units must fall: `30m1h` is a slip. */
export function parseDuration(value: string | number): number | null {
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (text.length > 64 || !/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return null;
  let sum = 0;
  let lastUnit = Number.POSITIVE_INFINITY;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    const unitMs = UNITS_MS[unit ?? ""] ?? 0;
    if (unitMs >= lastUnit) return null;
    sum += Number(amount) * unitMs;
    lastUnit = unitMs;
  }
  return Math.round(sum);
}

/** A whole number of milliseconds as `parseDuration` reads it: `90000` → `1m30s`, `0` → `0s`. */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const unitMs = UNITS_MS[unit] ?? 1;
    const amount = Math.floor(rest / unitMs);
    rest -= amount * unitMs;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === "" ? "0s" : text;
}
