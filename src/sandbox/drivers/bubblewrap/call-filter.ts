import { chmodSync, writeFileSync } from "node:fs";
import { REFUSED_CALLS } from "./refused-calls.ts";

/** How the kernel and this processor number the calls that are refused. */
interface CallTable {
  /** AUDIT_ARCH_… of `linux/audit.h`: calls made in another way (32-bit, x32) have other numbers and do not exist here. */
  readonly audit: number;
  /** Numbers from here on are the x32 calls; null where there are none. */
  readonly foreignFrom: number | null;
  readonly socket: number;
  readonly socketpair: number;
  readonly ioctl: number;
  readonly attributes: readonly number[];
  readonly rings: readonly number[];
  readonly refused: readonly number[];
}

const TABLES: Readonly<Partial<Record<NodeJS.Architecture, CallTable>>> = {
  x64: {
    audit: 0xc000003e,
    foreignFrom: 0x40000000,
    socket: 41,
    socketpair: 53,
    ioctl: 16,
    // setxattr, lsetxattr, fsetxattr, setxattrat
    attributes: [188, 189, 190, 463],
    // io_uring_setup, _enter, _register
    rings: [425, 426, 427],
    refused: REFUSED_CALLS.flatMap(({ x64 }) => x64 ?? []),
  },
  arm64: {
    audit: 0xc00000b7,
    foreignFrom: null,
    socket: 198,
    socketpair: 199,
    ioctl: 29,
    attributes: [5, 6, 7, 463],
    rings: [425, 426, 427],
    refused: REFUSED_CALLS.flatMap(({ arm64 }) => arm64 ?? []),
  },
};

const [EPERM, ENOSYS, EOPNOTSUPP, EAFNOSUPPORT] = [1, 38, 95, 97];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those that a network namespace holds apart. AF_VSOCK, for one, is not: it reaches the machine's
 *  own virtual machine monitor, and other sandboxes. */
const FAMILIES = [1, 2, 10, 16];
/** TIOCSTI and TIOCLINUX: typing into a terminal of somebody else. */
const TERMINAL_REQUESTS = [0x5412, 0x541c];

/** Offsets in `struct seccomp_data`; arguments are 64 bits, little-endian here. */
const [NUMBER, AUDIT, FIRST_ARGUMENT, SECOND_ARGUMENT] = [0, 4, 16, 24];
/** BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JGE|BPF_K, BPF_RET|BPF_K. */
const [LOAD, IF_EQUAL, IF_AT_LEAST, RETURN] = [0x20, 0x15, 0x35, 0x06];
const [ALLOW, ERRNO] = [0x7fff0000, 0x00050000];

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Writes the filter of system calls as bubblewrap's `--seccomp` reads it: a program of `struct sock_filter`. Everything is allowed but
 *  `REFUSED_CALLS`, other families of sockets, io_uring (which does what other calls do, unseen by a filter), and extended attributes, access lists
 *  among them, which would stay on outputs (decision 1).
 *  @returns false for a processor whose numbers are not known: then there is no file */
export function writeCallFilter(path: string, arch: NodeJS.Architecture = process.arch): boolean {
  const table = TABLES[arch];
  if (table === undefined) return false;
  const program = instructions(table);
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  writeFileSync(path, bytes);
  chmodSync(path, 0o444);
  return true;
}

function instructions(table: CallTable): Instruction[] {
  return [
    [LOAD, 0, 0, AUDIT],
    [IF_EQUAL, 1, 0, table.audit],
    refuse(ENOSYS),
    [LOAD, 0, 0, NUMBER],
    ...(table.foreignFrom === null ? [] : [[IF_AT_LEAST, 0, 1, table.foreignFrom] as const, refuse(ENOSYS)]),
    ...table.attributes.flatMap((call) => when(call, [refuse(EOPNOTSUPP)])),
    ...table.rings.flatMap((call) => when(call, [refuse(ENOSYS)])),
    ...table.refused.flatMap((call) => when(call, [refuse(EPERM)])),
    ...[table.socket, table.socketpair].flatMap((call) => when(call, families())),
    ...when(table.ioctl, [
      [LOAD, 0, 0, SECOND_ARGUMENT],
      ...TERMINAL_REQUESTS.flatMap((request) => when(request, [refuse(EPERM)])),
      [RETURN, 0, 0, ALLOW],
    ]),
    [RETURN, 0, 0, ALLOW],
  ];
}

function families(): Instruction[] {
  return [
    [LOAD, 0, 0, FIRST_ARGUMENT],
    ...FAMILIES.flatMap((family) => when(family, [[RETURN, 0, 0, ALLOW]])),
    refuse(EAFNOSUPPORT),
  ];
}

/** Runs `then`, which must return, when what was loaded is the value. */
function when(value: number, then: readonly Instruction[]): Instruction[] {
  return [[IF_EQUAL, 0, then.length, value], ...then];
}

function refuse(errno: number): Instruction {
  return [RETURN, 0, 0, ERRNO | errno];
}
