import { constants } from "node:fs";
import { chmod, type FileHandle, link, lutimes, mkdir, open, readdir, rm, symlink, utimes } from "node:fs/promises";
import { SluiceError } from "../core/errors.ts";
import { lstatIn, pathBytes, type RootPath, resolveFolder, shownName, splitName } from "./root-path.ts";
import { readTar, type TarMember } from "./tar/read-tar.ts";
import { invalidArchive } from "./tar/tar-header.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Holes counted: what is larger is no file that a program was built with. */
const MAX_FILE_BYTES = 1024 ** 4;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface LayerLimits {
  /** Bytes of files, holes not counted. */
  readonly maxBytes: number;
  readonly maxMembers: number;
}

export interface AppliedLayer {
  readonly members: number;
  readonly bytes: number;
  /** Devices and FIFOs, which are left out: a sandbox has its own `/dev`. */
  readonly leftOut: number;
}

/** Puts a layer (a tar archive, uncompressed) over what layers before it left in `root`. The root is private to the caller while this runs.
 *
 *  Nothing is ever written outside the root: names with `..` are refused, every folder on the way is looked at, and links are followed inside the
 *  root alone. What a member replaces is removed first, so that no file is written through a link.
 *
 *  Everything belongs to the caller afterwards. Whoever runs the image is neither root nor the owner that the archive names, so others get the
 *  rights that the owner has, but no writing; setuid and setgid bits go. Owners must be able to read what they own, so that it can be read at all.
 *  @throws SluiceError IMAGE_INVALID; DISK_FULL is the caller's to make of ENOSPC
 *  @see OCI image specification, layer.md */
export async function applyLayer(
  root: string,
  archive: AsyncIterable<Uint8Array>,
  limits: LayerLimits,
): Promise<AppliedLayer> {
  const layer = new Layer(root, limits);
  try {
    for await (const member of readTar(archive)) await layer.apply(member);
    await layer.finish();
  } catch (error) {
    throw inOurWords(error);
  }
  return layer.applied;
}

/** What the file system says of names and sizes that it cannot have is the archive's fault. */
function inOurWords(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (!["ENAMETOOLONG", "EFBIG", "ELOOP", "EMLINK", "EINVAL"].includes(String(code))) return error;
  return new SluiceError("IMAGE_INVALID", `Cannot unpack the layer: the file system refuses a member (${code})`, {
    cause: error,
  });
}

class Layer {
  readonly #root: string;
  readonly #limits: LayerLimits;
  /** What this layer has put where, so that an opaque mark removes only what was there before. */
  readonly #made = new Set<string>();
  /** Modes and times of folders are set at the end: making files in them needs writing, and changes their time. */
  readonly #folders = new Map<
    string,
    { readonly path: RootPath; readonly mode: number; readonly modifiedAt: number }
  >();
  #members = 0;
  #bytes = 0;
  #leftOut = 0;

  constructor(root: string, limits: LayerLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  get applied(): AppliedLayer {
    return { members: this.#members, bytes: this.#bytes, leftOut: this.#leftOut };
  }

  async apply(member: TarMember): Promise<void> {
    this.#members += 1;
    if (this.#members > this.#limits.maxMembers) throw tooLarge(`more than ${this.#limits.maxMembers} members`);
    const parts = splitName(member.path);
    const name = parts.at(-1);
    if (name === undefined) return;
    const folder = await resolveFolder(this.#root, parts.slice(0, -1), true);
    if (folder === null) throw new Error("a folder that was made is missing");
    if (name.startsWith(WHITEOUT)) await this.#whiteout(folder, name);
    else await this.#put(member, [...folder, name]);
  }

  async #whiteout(folder: RootPath, name: string): Promise<void> {
    if (name === OPAQUE) {
      await this.#removeOlderIn(folder);
      return;
    }
    // Marks of aufs's own that say nothing here.
    if (name.startsWith(".wh..wh.")) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === "" || hidden === "." || hidden === "..") throw invalidArchive("a whiteout hides no name");
    await this.#removeOlder([...folder, hidden]);
  }

  /** A layer's marks hide what layers before it left, never what it brings itself, whatever comes first. */
  async #removeOlder(path: RootPath): Promise<void> {
    if (!this.#made.has(path.join("/"))) await this.#remove(path);
    else if ((await lstatIn(this.#root, path))?.isDirectory() === true) await this.#removeOlderIn(path);
  }

  async #removeOlderIn(folder: RootPath): Promise<void> {
    for (const entry of await readdir(pathBytes(this.#root, folder), { encoding: "buffer" })) {
      await this.#removeOlder([...folder, entry.toString("latin1")]);
    }
  }

  async #put(member: TarMember, path: RootPath): Promise<void> {
    const known = path.join("/");
    switch (member.type) {
      case "folder":
        await this.#putFolder(member, path);
        break;
      case "file":
        await this.#remove(path);
        await this.#putFile(member, path);
        break;
      case "link":
        await this.#putLink(member, path);
        break;
      case "symlink":
        await this.#remove(path);
        await symlink(Buffer.from(member.linkPath, "latin1"), pathBytes(this.#root, path));
        await lutimes(pathBytes(this.#root, path), new Date(), dateOf(member.modifiedAt));
        break;
      default:
        await this.#remove(path);
        this.#leftOut += 1;
    }
    this.#made.add(known);
    // An opaque mark on a folder above spares what this layer put below it.
    for (let depth = path.length - 1; depth > 0; depth--) {
      const above = path.slice(0, depth).join("/");
      if (this.#made.has(above)) break;
      this.#made.add(above);
    }
  }

  async #putFolder({ mode, modifiedAt }: TarMember, path: RootPath): Promise<void> {
    const stats = await lstatIn(this.#root, path);
    if (stats !== null && !stats.isDirectory()) await this.#remove(path);
    if (stats === null || !stats.isDirectory()) await mkdir(pathBytes(this.#root, path), { mode: 0o755 });
    this.#folders.set(path.join("/"), { path, mode: openMode(mode | 0o700), modifiedAt });
  }

  async #putFile(member: TarMember, path: RootPath): Promise<void> {
    if (member.sizeBytes > MAX_FILE_BYTES) throw tooLarge(`a file of more than ${MAX_FILE_BYTES} bytes`);
    const file = await open(pathBytes(this.#root, path), CREATE, 0o600);
    try {
      await this.#write(file, member);
      await file.truncate(member.sizeBytes);
      await file.chmod(openMode(member.mode | 0o400));
      await file.utimes(new Date(), dateOf(member.modifiedAt));
    } finally {
      await file.close();
    }
  }

  /** The bytes of each piece at its place; between them are holes. */
  async #write(file: FileHandle, { segments, body }: TarMember): Promise<void> {
    const places = segments.values();
    let place = places.next().value;
    let done = 0;
    for await (const piece of body) {
      this.#bytes += piece.length;
      if (this.#bytes > this.#limits.maxBytes) throw tooLarge(`more than ${this.#limits.maxBytes} bytes`);
      for (let at = 0; at < piece.length; ) {
        while (place !== undefined && done === place.bytes) {
          place = places.next().value;
          done = 0;
        }
        if (place === undefined) throw new Error("a body is longer than its map");
        const count = Math.min(piece.length - at, place.bytes - done);
        await writeAll(file, piece.subarray(at, at + count), place.at + done);
        at += count;
        done += count;
      }
    }
  }

  /** A second name of a file that is there. The target is looked up as other names are, so that it lies in the root. */
  async #putLink(member: TarMember, path: RootPath): Promise<void> {
    const parts = splitName(member.linkPath);
    const folder = await resolveFolder(this.#root, parts.slice(0, -1), false);
    const target = folder === null ? null : [...folder, parts.at(-1) ?? ""];
    const stats = target === null || parts.length === 0 ? null : await lstatIn(this.#root, target);
    if (target === null || stats === null || stats.isDirectory()) {
      throw invalidArchive(`the link ${shownName(member.path)} leads to no file of the image`);
    }
    if (target.join("/") === path.join("/")) return;
    await this.#remove(path);
    await link(pathBytes(this.#root, target), pathBytes(this.#root, path));
  }

  async #remove(path: RootPath): Promise<void> {
    const stats = await lstatIn(this.#root, path);
    if (stats === null) return;
    await rm(pathBytes(this.#root, path), { recursive: stats.isDirectory(), force: true });
  }

  async finish(): Promise<void> {
    // From the deepest on, as setting one's time comes after everything below it.
    const folders = [...this.#folders.values()].toSorted((a, b) => b.path.length - a.path.length);
    for (const { path, mode, modifiedAt } of folders) {
      if (!(await this.#isStillFolder(path))) continue;
      await chmod(pathBytes(this.#root, path), mode);
      await utimes(pathBytes(this.#root, path), new Date(), dateOf(modifiedAt));
    }
  }

  /** What was a folder may have been replaced since, or lie behind a link by now, which must not be followed. */
  async #isStillFolder(path: RootPath): Promise<boolean> {
    for (let depth = 1; depth <= path.length; depth++) {
      const stats = await lstatIn(this.#root, path.slice(0, depth));
      if (stats?.isDirectory() !== true) return false;
    }
    return true;
  }
}

/** Others may do what the owner may, but write; nobody gets another identity by it. */
function openMode(mode: number): number {
  const owner = (mode >> 6) & 0o7;
  return (mode & 0o700) | ((owner & 0o5) << 3) | (owner & 0o5);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Archives may hold times that no date has. */
function dateOf(ms: number): Date {
  return new Date(Math.min(Math.max(ms, 0), Date.UTC(9999, 11, 31)));
}

function tooLarge(what: string): SluiceError {
  return invalidArchive(`it has ${what}, which is the limit`);
}
