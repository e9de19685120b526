import { describe, expect, test } from "vitest";
import { CALL_NUMBERS } from "./call-numbers.ts";
import { ALLOWED, ARGUMENT_RULES, type ArgumentRule, ERRNO, REFUSED } from "./call-policy.ts";
import {
  FILTERED,
  filterBytes,
  filterProgram,
  IF_AT_LEAST,
  IF_BITS,
  IF_EQUAL,
  JUMP,
  LOAD,
  RETURN,
  verdictOf,
} from "./filter-program.ts";
import { FILTERS } from "./filters.ts";

const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 };
const I386 = 0x40000003;
const X32 = 0x40000000;
const LAST = 600;

interface Call {
  readonly number: number;
  readonly audit: number;
  readonly values?: readonly number[];
}

/** Runs a program as the kernel would. @returns 0 for allowed, or the error's number */
function judge(bytes: Buffer, { number, audit, values = [] }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of values.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0, steps = 0; ; at++, steps++) {
    if (steps > 200) throw new Error("the program takes too long");
    const [code, yes, no] = [bytes.readUInt16LE(at * 8), bytes.readUInt8(at * 8 + 2), bytes.readUInt8(at * 8 + 3)];
    const value = bytes.readUInt32LE(at * 8 + 4);
    if (code === LOAD) accumulator = data.readUInt32LE(value);
    else if (code === JUMP) at += value;
    else if (code === IF_EQUAL) at += accumulator === value ? yes : no;
    else if (code === IF_AT_LEAST) at += accumulator >= value ? yes : no;
    else if (code === IF_BITS) at += (accumulator & value) !== 0 ? yes : no;
    else if (code === RETURN) return value === 0x7fff0000 ? 0 : value - 0x00050000;
    else throw new Error(`no such instruction: ${code}`);
  }
}

/** What a rule says, without a program. */
function expected(rule: ArgumentRule, value: number): number {
  const fits =
    "oneOf" in rule
      ? rule.oneOf.includes(value)
      : "noneOf" in rule
        ? !rule.noneOf.includes(value)
        : (value & rule.noBits) === 0;
  return fits ? 0 : ERRNO[rule.otherwise];
}

describe.each(FILTERED)("the filter of %s", (processor) => {
  const bytes = filterBytes(filterProgram(processor));
  const audit = AUDIT[processor];

  test("is the checked-in one: npm run generate:call-filter makes it again", () => {
    expect(FILTERS[processor]).toBe(bytes.toString("base64"));
  });

  test("is one that the kernel takes", () => {
    expect(bytes.length / 8).toBeLessThanOrEqual(4096);
  });

  test("says of every number what the policy says", () => {
    for (let number = 0; number <= LAST; number++) {
      const verdict = verdictOf(number, processor) ?? "ENOSYS";
      if (typeof verdict !== "string") continue;
      expect([number, judge(bytes, { number, audit })]).toEqual([number, verdict === "allow" ? 0 : ERRNO[verdict]]);
    }
  });

  test.each(ARGUMENT_RULES.map((rule) => [rule.call, rule] as const))("looks at the argument of %s", (_, rule) => {
    const number = CALL_NUMBERS.find(([name]) => name === rule.call)?.[processor === "x64" ? 1 : 2] ?? -1;
    const listed =
      "oneOf" in rule ? rule.oneOf : "noneOf" in rule ? rule.noneOf : [rule.noBits, 0x10000000, 0x20000000];
    for (const value of [...listed, 0, 1, 3, 17, 40, 0x11, 0x5413, 0x40000, 0x3d0f00]) {
      const values = [7, 7, 7].with(rule.argument, value);
      expect([value, judge(bytes, { number, audit, values })]).toEqual([value, expected(rule, value)]);
    }
  });

  test("knows no call of another processor or of another kind", () => {
    for (const number of [0, 1, 59, X32, X32 + 59, X32 + 520, 0xffffffff]) {
      expect(judge(bytes, { number, audit: I386 })).toBe(ERRNO.ENOSYS);
      if (number >= X32) expect(judge(bytes, { number, audit })).toBe(ERRNO.ENOSYS);
    }
  });
});

test("every name of the policy is a call, in one list only", () => {
  const known = new Set(CALL_NUMBERS.map(([name]) => name));
  const named = [...ALLOWED, ...Object.keys(REFUSED), ...ARGUMENT_RULES.map(({ call }) => call)];
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
});

test("no number is given twice", () => {
  for (const at of [1, 2] as const) {
    const numbers = CALL_NUMBERS.flatMap((call) => (call[at] === null ? [] : [call[at]]));
    expect(new Set(numbers).size).toBe(numbers.length);
  }
});
