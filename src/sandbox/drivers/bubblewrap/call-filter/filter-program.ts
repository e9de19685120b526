import { CALL_NUMBERS } from "./call-numbers.ts";
import { ALLOWED, ARGUMENT_RULES, type ArgumentRule, ERRNO, REFUSED, type Refusal } from "./call-policy.ts";

/** Processors that a filter is made for, by Node's names. */
export const FILTERED = ["x64", "arm64"] as const;
export type Filtered = (typeof FILTERED)[number];

/** One `struct sock_filter`. @see linux/filter.h */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** AUDIT_ARCH_… of `linux/audit.h`: calls made in another way (32-bit) have other numbers and do not exist here. */
const AUDIT: Readonly<Record<Filtered, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Offsets in `struct seccomp_data`; arguments are 64 bits, little-endian here. */
const [NUMBER, ARCHITECTURE, ARGUMENTS, ARGUMENT_BYTES] = [0, 4, 16, 8];
/** BPF_LD|BPF_W|BPF_ABS; BPF_JMP with BPF_JA, BPF_JEQ, BPF_JGE, BPF_JSET, all |BPF_K; BPF_RET|BPF_K. */
export const [LOAD, JUMP, IF_EQUAL, IF_AT_LEAST, IF_BITS, RETURN] = [0x20, 0x05, 0x15, 0x35, 0x45, 0x06];
const [ALLOW, REFUSE] = [0x7fff0000, 0x00050000];
/** Farthest place that a comparison can jump to. */
const MAX_JUMP = 255;

type Verdict = "allow" | Refusal | ArgumentRule;

/** Calls from `first` on, up to the next range, have one verdict. */
interface Range {
  readonly first: number;
  readonly verdict: Verdict;
}

/** The verdict on each number that a processor has a call for; null for one without. */
export function verdictOf(number: number, processor: Filtered): Verdict | null {
  const at = processor === "x64" ? 1 : 2;
  const name = CALL_NUMBERS.find((call) => call[at] === number)?.[0];
  if (name === undefined) return null;
  const rule = ARGUMENT_RULES.find(({ call }) => call === name);
  if (rule !== undefined) return rule;
  return ALLOWED.includes(name) ? "allow" : (REFUSED[name] ?? "EPERM");
}

/** The filter of one processor. A call is found by halving ranges of numbers, some ten comparisons; those whose verdict needs no argument the kernel remembers. */
export function filterProgram(processor: Filtered): Instruction[] {
  return [
    [LOAD, 0, 0, ARCHITECTURE],
    [IF_EQUAL, 1, 0, AUDIT[processor]],
    refuse("ENOSYS"),
    [LOAD, 0, 0, NUMBER],
    // Numbers of x32 calls are above all of them.
    ...search(ranges(processor)),
  ];
}

function ranges(processor: Filtered): Range[] {
  const at = processor === "x64" ? 1 : 2;
  const last = Math.max(...CALL_NUMBERS.map((call) => call[at] ?? 0));
  const found: Range[] = [];
  for (let first = 0; first <= last + 1; first++) {
    const verdict = verdictOf(first, processor) ?? "ENOSYS";
    if (found.at(-1)?.verdict !== verdict) found.push({ first, verdict });
  }
  return found;
}

function search(found: readonly Range[]): Instruction[] {
  const middle = Math.ceil(found.length / 2);
  const [only, pivot] = [found[0], found[middle]];
  if (pivot === undefined) return only === undefined ? [] : leaf(only.verdict);
  const [below, above] = [search(found.slice(0, middle)), search(found.slice(middle))];
  if (below.length <= MAX_JUMP) return [[IF_AT_LEAST, below.length, 0, pivot.first], ...below, ...above];
  return [[IF_AT_LEAST, 0, 1, pivot.first], [JUMP, 0, 0, below.length], ...below, ...above];
}

function leaf(verdict: Verdict): Instruction[] {
  if (verdict === "allow") return [allow()];
  if (typeof verdict === "string") return [refuse(verdict)];
  const load: Instruction = [LOAD, 0, 0, ARGUMENTS + ARGUMENT_BYTES * verdict.argument];
  if ("noBits" in verdict) return [load, [IF_BITS, 0, 1, verdict.noBits], refuse(verdict.otherwise), allow()];
  const [listed, hit, miss] =
    "oneOf" in verdict
      ? [verdict.oneOf, allow(), refuse(verdict.otherwise)]
      : [verdict.noneOf, refuse(verdict.otherwise), allow()];
  return [load, ...listed.flatMap((value): Instruction[] => [[IF_EQUAL, 0, 1, value], hit]), miss];
}

const allow = (): Instruction => [RETURN, 0, 0, ALLOW];
const refuse = (refusal: Refusal): Instruction => [RETURN, 0, 0, REFUSE | ERRNO[refusal]];

/** As bubblewrap's `--seccomp` reads it: `struct sock_filter`, one after the other. */
export function filterBytes(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
