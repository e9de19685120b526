import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** One finished system call of a traced server, in the order in which calls finished. */
export interface Syscall {
  readonly name: string;
  /** The arguments as strace prints them, with strings in hex escapes. */
  readonly args: string;
  /** The return value; negative for an error. */
  readonly result: number;
}

/** What to run a server under, so that `readTrace` finds everything that can change a disk or answer a client. */
export function straceArguments(file: string): string[] {
  const calls =
    "openat,open,creat,close,write,writev,pwrite64,pwritev,ftruncate,truncate,fallocate,rename,renameat,renameat2,link,linkat," +
    "unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync_file_range,sendto,sendmsg,dup,dup2,dup3,io_uring_setup";
  return ["strace", "-f", "-y", "-xx", "-s", "2000000", "-e", `trace=${calls}`, "-e", "signal=none", "-o", file];
}

/** Reads an strace file. A call that another thread interrupted is put together again and counts when it finished. */
export async function* readTrace(file: string): AsyncGenerator<Syscall> {
  const unfinished = new Map<string, string>();
  for await (const line of createInterface({ input: createReadStream(file, "latin1") })) {
    const space = line.indexOf(" ");
    const thread = line.slice(0, space);
    let text = line.slice(space).trimStart();
    if (text.endsWith("<unfinished ...>")) {
      unfinished.set(thread, text.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text);
    if (resumed) text = (unfinished.get(thread) ?? "") + text.slice(resumed[0].length);
    const open = text.indexOf("(");
    const end = text.lastIndexOf(") ");
    const result = /\)\s+= (-?\d+)/.exec(text.slice(end));
    if (open < 0 || end < 0 || !result) continue;
    yield { name: text.slice(0, open), args: text.slice(open + 1, end), result: Number(result[1]) };
  }
}

/** The bytes of one hex-escaped string. */
export function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

/** Every quoted string of the arguments, as bytes: paths, or the data of a write (one for each part of a vector). */
export function strings(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => unhex(match[1] ?? ""));
}

/** The number and the path (or socket) of a descriptor argument such as `3<\x2f\x74…>`. */
export function descriptor(args: string): { fd: number; path: string } | null {
  const match = /^(\d+)<([^>]*)>/.exec(args);
  if (!match) return null;
  const name = match[2] ?? "";
  return { fd: Number(match[1]), path: name.startsWith("\\x") ? unhex(name).toString("utf8") : name };
}

/** Bytes sent to a client, when this call sent any. */
export function sentBytes(call: Syscall): Buffer | null {
  if (!["write", "writev", "sendto", "sendmsg"].includes(call.name) || call.result <= 0) return null;
  const target = descriptor(call.args);
  if (!target || !/^(TCP|TCPv6|socket)/.test(target.path)) return null;
  return Buffer.concat(strings(call.args));
}
