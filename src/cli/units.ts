import { SluiceError } from "../core/errors.ts";
import { formatBytes } from "../core/resources.ts";
import { parseDuration } from "../lib/duration.ts";

/** Bytes with one decimal and a unit: `1.4 MiB`, `512 B`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [, digits = "", unit = ""] = /^([\d.]+)(.*)$/.exec(formatBytes(bytes)) ?? [];
  return `${Number(digits).toFixed(1)} ${unit}B`;
}

/** `80 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `5 d 2 h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, "min", "s");
  if (seconds < 86_400) return pair(Math.floor(seconds / 60), 60, "h", "min");
  return pair(Math.floor(seconds / 3600), 24, "d", "h");
}

function pair(value: number, base: number, big: string, small: string): string {
  const rest = value % base;
  return rest === 0 ? `${value / base} ${big}` : `${Math.floor(value / base)} ${big} ${rest} ${small}`;
}

/** A time as people here read it: `2026-03-05 14:07:09` in the local zone. */
export function localTime(time: number | string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `10m`, `2h`, `3d` before `now`, or a time in ISO 8601; UTC ms. @throws SluiceError USAGE */
export function parseSince(text: string, now: number): number {
  const span = parseDuration(text);
  if (span !== null) return now - span;
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new SluiceError("USAGE", `Cannot read the time "${text}": write "10m", "2h", "3d" or "2026-03-05T14:00:00Z"`);
  }
  return time;
}

/** A whole number of at least `least`. @throws SluiceError USAGE naming the flag */
export function parseCount(flag: string, text: string, least = 1): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new SluiceError("USAGE", `Cannot read "--${flag} ${text}": write a whole number of at least ${least}`);
  }
  return value;
}
