import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { descriptor, type Syscall, strings } from "./syscall-trace.ts";

/** A file's bytes as the program sees them, as a power cut leaves them, and the writes between the two. */
interface Inode {
  current: Buffer;
  durable: Buffer;
  /** Since the last sync; a real disk keeps any subset of these. */
  pending: Array<(bytes: Buffer) => Buffer>;
}

/** What happens to writes that were not synced when the power went: none reaches the disk, all do, or each by a coin. */
export type Unsynced = "none" | "all" | ((index: number) => boolean);

/** A model of a disk that promises no more than POSIX: a file's bytes are safe after fsync of the file, its name after fsync of its
 *  folder. Fed with a server's system calls it says what a power cut at any moment leaves. Files below `root` only; memory maps (SQLite's
 *  `-shm`, which is rebuilt) are not seen. */
export class DurableDisk {
  readonly #root: string;
  readonly #names = new Map<string, Inode | "folder">();
  #durableNames = new Map<string, Inode | "folder">();
  readonly #offsets = new Map<number, { inode: Inode; offset: number; append: boolean }>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Applies one call. Returns true when it made something durable: a moment worth cutting at. */
  apply(call: Syscall): boolean {
    if (call.result < 0) return false;
    switch (call.name) {
      case "open":
      case "openat":
      case "creat":
        this.#open(call);
        return false;
      case "write":
      case "writev":
        this.#write(call);
        return false;
      case "pwrite64":
        this.#pwrite(call);
        return false;
      case "ftruncate":
        this.#truncate(call);
        return false;
      case "rename":
      case "renameat":
      case "renameat2":
        this.#rename(call);
        return false;
      case "link":
      case "linkat":
        this.#link(call);
        return false;
      case "unlink":
      case "unlinkat":
      case "rmdir":
        this.#names.delete(this.#paths(call)[0] ?? "");
        return false;
      case "mkdir":
      case "mkdirat":
        this.#names.set(this.#paths(call)[0] ?? "", "folder");
        return false;
      case "fsync":
      case "fdatasync":
        return this.#sync(call);
      case "io_uring_setup":
        // libuv has two rings: one for batches of epoll calls, and, where it is asked for, one for files, which polls.
        if (/IORING_SETUP_SQPOLL/.test(call.args))
          throw new Error("The server writes files by io_uring, which system calls do not show");
        return false;
      default:
        return false;
    }
  }

  /** Writes what a power cut now would leave into `target`. Owners and modes are not part of the model: blobs get those that the store gives them,
   *  everything else is private. */
  writeTo(target: string, unsynced: Unsynced, slotsGid: number | null): void {
    let index = 0;
    const keep = (): boolean => unsynced === "all" || (unsynced !== "none" && unsynced(index++));
    const names = unsynced === "all" ? this.#names : this.#durableNames;
    for (const [path, inode] of [...names].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const copy = join(target, path.slice(this.#root.length));
      if (inode === "folder") mkdirSync(copy, { recursive: true, mode: 0o700 });
      else {
        mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
        const bytes = inode.pending.reduce((before, write) => (keep() ? write(before) : before), inode.durable);
        writeFileSync(copy, bytes, { mode: 0o600 });
      }
      if (slotsGid !== null && path.includes("/blobs")) {
        chownSync(copy, 0, slotsGid);
        chmodSync(copy, inode === "folder" ? 0o710 : 0o440);
      }
    }
  }

  #inside(path: string): boolean {
    return (path === this.#root || path.startsWith(`${this.#root}/`)) && !path.endsWith("-shm");
  }

  /** Absolute paths of a call that takes paths, relative to its folder descriptors where it has them. */
  #paths(call: Syscall): string[] {
    return strings(call.args)
      .map((bytes) => bytes.toString("utf8"))
      .filter((path) => path.startsWith("/"));
  }

  #open(call: Syscall): void {
    const path = this.#paths(call).at(0) ?? "";
    if (!this.#inside(path)) {
      this.#offsets.delete(call.result);
      return;
    }
    let inode = this.#names.get(path);
    if (inode === undefined && /O_CREAT/.test(call.args)) {
      inode = { current: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] };
      this.#names.set(path, inode);
    }
    if (inode === undefined || inode === "folder") return;
    if (/O_TRUNC/.test(call.args)) this.#change(inode, () => Buffer.alloc(0));
    this.#offsets.set(call.result, { inode, offset: 0, append: /O_APPEND/.test(call.args) });
  }

  #change(inode: Inode, write: (bytes: Buffer) => Buffer): void {
    inode.current = write(inode.current);
    inode.pending.push(write);
  }

  #write(call: Syscall): void {
    const target = descriptor(call.args);
    const open = target && this.#inside(target.path) ? this.#offsets.get(target.fd) : undefined;
    if (!open) return;
    const data = Buffer.concat(strings(call.args)).subarray(0, call.result);
    const at = open.append ? open.inode.current.length : open.offset;
    this.#change(open.inode, (bytes) => overwrite(bytes, data, at));
    open.offset = at + call.result;
  }

  #pwrite(call: Syscall): void {
    const target = descriptor(call.args);
    const open = target && this.#inside(target.path) ? this.#offsets.get(target.fd) : undefined;
    if (!open) return;
    const data = (strings(call.args)[0] ?? Buffer.alloc(0)).subarray(0, call.result);
    const at = Number(call.args.slice(call.args.lastIndexOf(",") + 1));
    this.#change(open.inode, (bytes) => overwrite(bytes, data, at));
  }

  #truncate(call: Syscall): void {
    const target = descriptor(call.args);
    const open = target && this.#inside(target.path) ? this.#offsets.get(target.fd) : undefined;
    const size = Number(call.args.slice(call.args.lastIndexOf(",") + 1));
    if (open) this.#change(open.inode, (bytes) => resized(bytes, size));
  }

  #rename(call: Syscall): void {
    const [from = "", to = ""] = this.#paths(call);
    const inode = this.#names.get(from);
    this.#names.delete(from);
    if (inode !== undefined && this.#inside(to)) this.#names.set(to, inode);
  }

  #link(call: Syscall): void {
    const [from = "", to = ""] = this.#paths(call);
    const inode = this.#names.get(from);
    if (inode !== undefined) this.#names.set(to, inode);
  }

  #sync(call: Syscall): boolean {
    const path = descriptor(call.args)?.path ?? "";
    const root = dirname(this.#root);
    if (!this.#inside(path) && path !== root) return false;
    const inode = this.#names.get(path);
    if (inode !== undefined && inode !== "folder") {
      inode.durable = inode.current;
      inode.pending = [];
      return true;
    }
    this.#syncFolder(path);
    return true;
  }

  /** The names directly inside become what they are now: made, replaced and removed ones. */
  #syncFolder(path: string): void {
    const directlyInside = (name: string): boolean => dirname(name) === path;
    const kept = [...this.#durableNames].filter(([name]) => !directlyInside(name));
    const now = [...this.#names].filter(([name]) => directlyInside(name));
    this.#durableNames = new Map([...kept, ...now]);
  }
}

function resized(bytes: Buffer, size: number): Buffer {
  if (size <= bytes.length) return Buffer.from(bytes.subarray(0, size));
  return Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
}

function overwrite(bytes: Buffer, data: Buffer, at: number): Buffer {
  const result = resized(bytes, Math.max(bytes.length, at + data.length));
  data.copy(result, at);
  return result;
}
