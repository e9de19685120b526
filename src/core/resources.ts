/** Resource name → amount in its unit: `cpu` milli-cores, `memory` and `disk` bytes, `gpu` devices, any licence in seats. */
export type Resources = Readonly<Record<string, number>>;

/** True when `free` holds every amount of `need`; a name that `free` lacks counts as 0. */
export function fits(need: Resources, free: Resources): boolean {
  return Object.entries(need).every(([name, amount]) => amount <= (free[name] ?? 0));
}

/** `a + b`, name by name. */
export function addResources(a: Resources, b: Resources): Resources {
  const sum: Record<string, number> = { ...a };
  for (const [name, amount] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + amount;
  return sum;
}

/** `a - b`, name by name. */
export function subtractResources(a: Resources, b: Resources): Resources {
  const rest: Record<string, number> = { ...a };
  for (const [name, amount] of Object.entries(b)) rest[name] = (rest[name] ?? 0) - amount;
  return rest;
}

/** The names whose amounts in `need` exceed `free`: why something does not fit. */
export function lacking(need: Resources, free: Resources): string[] {
  return Object.entries(need)
    .filter(([name, amount]) => amount > (free[name] ?? 0))
    .map(([name]) => name);
}

const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL = ["", "k", "M", "G", "T", "P", "E"];

/** Parses a Kubernetes quantity (`256Mi`, `1.5G`, `500m`, `1e3`) to a number in base units, or null when it is none.
 *  @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export function parseQuantity(text: string): number | null {
  const match = /^([+]?\d+(?:\.\d*)?|[+]?\.\d+)(?:([eE][+-]?\d+)|(m|[kKMGTPE]i?|))?$/.exec(text.trim());
  if (!match) return null;
  const [, digits, exponent, suffix = ""] = match;
  if (exponent) return Number(`${digits}${exponent}`);
  if (suffix === "m") return Number(digits) / 1000;
  const binary = BINARY.indexOf(suffix);
  if (suffix !== "" && binary > 0) return Number(digits) * 1024 ** binary;
  const decimal = DECIMAL.indexOf(suffix === "K" ? "k" : suffix);
  return decimal < 0 ? null : Number(digits) * 1000 ** decimal;
}

/** Bytes of a memory or disk quantity, rounded up; null when it is none. */
export function parseBytes(text: string): number | null {
  const value = parseQuantity(text);
  return value === null ? null : Math.ceil(value);
}

/** Milli-cores of a CPU quantity (`0.5`, `500m`, `2`), rounded up; null when it is none. */
export function parseCpuMilli(text: string): number | null {
  const value = parseQuantity(text);
  // 0.1 * 1000 is 100.00000000000001 in doubles: round to a millionth before rounding up.
  return value === null ? null : Math.ceil(Number((value * 1000).toFixed(6)));
}

/** Bytes as people write them: `268435456` → `256Mi`; exact multiples only get a unit, other values one decimal. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < BINARY.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${BINARY[unit]}`;
}
