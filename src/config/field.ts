import { isIP } from "node:net";
import { normalize } from "node:path";
import { z } from "zod";
import { parseBytes, parseCpuMilli } from "../core/resources.ts";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import { nearest } from "../lib/nearest.ts";

/** What the reference page says of a field. */
export interface FieldFacts {
  /** What may stand there, in words. */
  readonly takes: string;
  readonly means: string;
  /** As one would write it; null for none. */
  readonly byDefault: Written;
  /** Overrides the sentence about the default where that is found at start. */
  readonly defaultMeans?: string;
}

type Written = string | number | boolean | null | readonly string[];

/** A value, or why it cannot be one. */
type Read<T> = { readonly value: T } | { readonly wrong: string };

const FACTS = z.registry<FieldFacts>();

/** The facts of a field made here, or undefined for a section. */
export const factsOf = (schema: z.core.$ZodType): FieldFacts | undefined => FACTS.get(schema);

/** A field that reads what a file, a variable or a flag holds: environment and flags have only texts. */
function field<T>(facts: FieldFacts, read: (value: unknown) => Read<T>) {
  const reading = z.unknown().transform((value, context): T => {
    const result = read(value);
    if ("value" in result) return result.value;
    context.addIssue({ code: "custom", message: result.wrong });
    return z.NEVER;
  });
  const schema = reading.prefault(facts.byDefault);
  FACTS.add(schema, facts);
  return schema;
}

/** A field whose absence means something of its own. */
function optional<T>(facts: Omit<FieldFacts, "byDefault">, read: (value: unknown) => Read<T>) {
  return field<T | null>({ ...facts, byDefault: null }, (value) => (value === null ? { value: null } : read(value)));
}

const shown = (value: unknown): string =>
  JSON.stringify(typeof value === "number" ? String(value) : value).slice(0, 80);

function textOf(value: unknown): string | null {
  if (typeof value === "string") return value.trim();
  return typeof value === "number" ? String(value) : null;
}

function numberOf(value: unknown): number | null {
  const text = textOf(value);
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

export function text(means: string, byDefault: string) {
  return field({ takes: "text", means, byDefault }, readText);
}

export function optionalText(means: string) {
  return optional({ takes: "text", means }, readText);
}

function readText(value: unknown): Read<string> {
  const written = textOf(value);
  if (written === null || /\p{Cc}/u.test(written)) return { wrong: `${shown(value)} is no text` };
  return written === "" ? { wrong: "the text is empty" } : { value: written };
}

/** A text that no message shows. */
export function secret(means: string, leastLength: number) {
  return optional({ takes: "secret text", means }, (value): Read<string> => {
    if (typeof value !== "string" || /\p{Cc}/u.test(value)) return { wrong: "the value is no text" };
    return value.length < leastLength ? { wrong: `it has fewer than ${leastLength} characters` } : { value };
  });
}

export function integer(means: string, byDefault: number, least: number, most: number) {
  return field({ takes: `whole number, ${least} to ${most}`, means, byDefault }, (value) =>
    readInteger(value, least, most),
  );
}

export function optionalInteger(means: string, defaultMeans: string, least: number, most: number) {
  const facts = { takes: `whole number, ${least} to ${most}`, means, defaultMeans };
  return optional(facts, (value) => readInteger(value, least, most));
}

function readInteger(value: unknown, least: number, most: number): Read<number> {
  const number = numberOf(value);
  if (number !== null && number >= least && number <= most) return { value: number };
  return { wrong: `${shown(value)} is no whole number from ${least} to ${most}` };
}

export function yesNo(means: string, byDefault: boolean) {
  return field({ takes: "true or false", means, byDefault }, (value): Read<boolean> => {
    const written = typeof value === "boolean" ? String(value) : (textOf(value)?.toLowerCase() ?? "");
    if (["true", "yes", "on", "1"].includes(written)) return { value: true };
    return ["false", "no", "off", "0"].includes(written)
      ? { value: false }
      : { wrong: `${shown(value)} is neither true nor false` };
  });
}

/** Milliseconds. */
export function duration(means: string, byDefault: string, leastMs: number, mostMs: number) {
  return field({ takes: "duration", means, byDefault }, (value) => readDuration(value, leastMs, mostMs));
}

export function optionalDuration(means: string, defaultMeans: string, leastMs: number, mostMs: number) {
  return optional({ takes: "duration", means, defaultMeans }, (value) => readDuration(value, leastMs, mostMs));
}

function readDuration(value: unknown, leastMs: number, mostMs: number): Read<number> {
  const written = textOf(value);
  const ms = written === null ? null : parseDuration(written);
  if (ms === null) return { wrong: `${shown(value)} is no duration (write for example 90s, 10m or 30d)` };
  if (ms >= leastMs && ms <= mostMs) return { value: ms };
  return { wrong: `${shown(value)} is not between ${formatDuration(leastMs)} and ${formatDuration(mostMs)}` };
}

export function bytes(means: string, byDefault: string, least: number) {
  return field({ takes: "bytes", means, byDefault }, (value) => readBytes(value, least));
}

export function optionalBytes(means: string, defaultMeans: string, least: number) {
  return optional({ takes: "bytes", means, defaultMeans }, (value) => readBytes(value, least));
}

function readBytes(value: unknown, least: number): Read<number> {
  const written = textOf(value);
  const amount = written === null ? null : parseBytes(written);
  if (amount === null || !Number.isSafeInteger(amount)) {
    return { wrong: `${shown(value)} is no number of bytes (write for example 512Mi or 10Gi)` };
  }
  return amount < least ? { wrong: `${shown(value)} is less than ${least} bytes` } : { value: amount };
}

/** Milli-cores. */
export function optionalCpu(means: string, defaultMeans: string) {
  return optional({ takes: "cores", means, defaultMeans }, (value): Read<number> => {
    const written = textOf(value);
    const milli = written === null ? null : parseCpuMilli(written);
    if (milli !== null && milli >= 1 && Number.isSafeInteger(milli)) return { value: milli };
    return { wrong: `${shown(value)} is no number of cores (write for example 2 or 500m)` };
  });
}

export function choice<const T extends string>(means: string, words: readonly T[], byDefault: T) {
  return field({ takes: words.join(" or "), means, byDefault }, (value): Read<T> => {
    const written = textOf(value) ?? "";
    const found = words.find((word) => word === written);
    if (found !== undefined) return { value: found };
    const near = nearest(written, words);
    return {
      wrong: `${shown(value)} is none of ${words.join(", ")}${near === null ? "" : ` (did you mean "${near}"?)`}`,
    };
  });
}

/** An address without a trailing slash. */
export function optionalUrl(means: string) {
  return optional({ takes: "http or https address", means }, (value): Read<string> => {
    const written = textOf(value) ?? "";
    const url = URL.canParse(written) ? new URL(written) : null;
    const plain = url && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
    if (!plain || !["http:", "https:"].includes(url.protocol)) {
      return { wrong: `${shown(value)} is no http or https address (write for example https://files.example.org)` };
    }
    return { value: url.href.replace(/\/+$/, "") };
  });
}

/** A name or address to listen on, without a port. */
export function listenHost(means: string, byDefault: string) {
  return field({ takes: "IP address or host name", means, byDefault }, (value): Read<string> => {
    const written = (textOf(value) ?? "").replace(/^\[(.*)\]$/, "$1");
    if (isIP(written) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(written))
      return { value: written };
    return { wrong: `${shown(value)} is no IP address or host name (write it without scheme and port)` };
  });
}

/** Host names, as a list or a text with commas; lower case, as names are compared. */
export function hostNames(means: string) {
  const facts = { takes: "list of host names", means, byDefault: [] };
  return field(facts, (value) => {
    const read = readList(value, isHostName, "no host name (write for example s3.example.org)");
    return "value" in read ? { value: read.value.map((name) => name.toLowerCase()) } : read;
  });
}

const isHostName = (written: string): boolean =>
  isIP(written) === 0 && /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(written) && !written.includes("..");

/** Hosts with or without a port, `registry.lab:5000`; lower case. */
export function hostsWithPorts(means: string) {
  const facts = { takes: "list of host names, with or without a port", means, byDefault: [] };
  return field(facts, (value) => {
    const read = readList(value, isHostWithPort, "no host (write for example registry.example.org:5000)");
    return "value" in read ? { value: read.value.map((name) => name.toLowerCase()) } : read;
  });
}

const isHostWithPort = (written: string): boolean =>
  /^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/.test(written);

/** Names with what they stand for: `NAME=VALUE`. */
export function pairs(means: string, valueTakes: string) {
  const facts = { takes: `list of NAME=${valueTakes}`, means, byDefault: [] };
  return field(facts, (value): Read<readonly (readonly [string, string])[]> => {
    const read = readList(value, (one) => /^[^=\s]+=.*[^\s]$/.test(one), `not of the form NAME=${valueTakes}`);
    if (!("value" in read)) return read;
    return { value: read.value.map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)]) };
  });
}

/** Words without spaces or slashes. */
export function words(means: string) {
  const facts = { takes: "list of words", means, byDefault: [] };
  return field(facts, (value) =>
    readList(value, (one) => /^[\w.-]+$/.test(one), "no word of letters, digits, . _ and -"),
  );
}

/** Addresses and networks, as a list or a text with commas. */
export function networks(means: string) {
  const facts = { takes: "list of IP addresses and networks", means, byDefault: [] };
  return field(facts, (value) => readList(value, isNetwork, "no IP address or network (write for example 10.0.0.0/8)"));
}

function isNetwork(written: string): boolean {
  const [address = "", bits, ...rest] = written.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** Folders and files of this machine. The places where sockets and kernel files lie are never among them: a Unix socket can be connected
 *  to through a read-only mount. */
export function sharedPaths(means: string) {
  const facts = { takes: "list of absolute paths", means, byDefault: [] };
  return field(facts, (value) =>
    readList(value, isShareable, "no path that scripts may see (absolute, not /, /proc, /sys, /dev or /run)"),
  );
}

function isShareable(written: string): boolean {
  if (!written.startsWith("/") || /\p{Cc}/u.test(written)) return false;
  const path = normalize(written).replace(/\/+$/, "");
  if (path === "" || path !== written.replace(/\/+$/, "")) return false;
  return !/^\/(proc|sys|dev|run|var\/run)(\/|$)/.test(path) && path !== "/var";
}

function readList(value: unknown, good: (one: string) => boolean, complaint: string): Read<readonly string[]> {
  const items: readonly unknown[] =
    typeof value === "string" ? value.split(",") : Array.isArray(value) ? value : [value];
  const texts = items.map((item) => textOf(item) ?? "").filter((item) => item !== "");
  const wrong = items.find((item) => textOf(item) === null) ?? texts.find((item) => !good(item));
  return wrong === undefined ? { value: texts } : { wrong: `${shown(wrong)} is ${complaint}` };
}
