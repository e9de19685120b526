import { chmodSync, constants, copyFileSync, linkSync, lstatSync, lutimesSync, symlinkSync, utimesSync } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import { type BytePath, onDisk, shownName, splitName } from "./member-name.ts";
import { type MadeEntry, type MergedFolder, MergedView, markBrought, readLink, type ShownFile } from "./merged-view.ts";
import { readTar, type TarMember } from "./tar/read-tar.ts";
import { invalidArchive } from "./tar/tar-header.ts";
import { linkedWhiteouts } from "./whiteout.ts";
import { dateOf, openMode, writeMember } from "./write-member.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Holes counted: what is larger is no file that a program was built with. */
const MAX_FILE_BYTES = 1024 ** 4;
/** What a file system takes for an entry of its own, and the unit in which it gives room to files. */
const BLOCK_BYTES = 4096;

/** Folders on one file system. A relative path counts from the process's working directory. */
export interface LayerFolders {
  /** Empty: becomes the layer's difference over its parents, in the form of an overlayfs lower folder. */
  readonly own: string;
  /** Empty: for what is needed on the way. */
  readonly meta: string;
  /** Folders of the layers below, lowest first. */
  readonly parents: readonly string[];
}

export interface LayerLimits {
  /** Of files, holes not counted, and a block for each folder. */
  readonly maxBytes: number;
  /** Of the archive; as many names are made. */
  readonly maxMembers: number;
}

export interface AppliedLayer {
  readonly members: number;
  readonly bytes: number;
  /** What it takes of the disk, about. */
  readonly diskBytes: number;
  /** Devices and FIFOs, which are left out: a sandbox has its own `/dev`. */
  readonly leftOut: number;
}

/** Puts a layer (a tar archive, uncompressed) into a folder of its own, as its difference over the layers before it. All of them are private to the
 *  caller while this runs, and the process's umask is 0. Calls of the file system block: it is made for a process of its own.
 *
 *  Nothing is ever written outside the own folder: names with `..` are refused, every folder on the way is looked at, and links are followed inside
 *  the merged view alone. What a member replaces is removed first, so that no file is written through a link.
 *
 *  Everything belongs to the caller afterwards. Whoever runs the image is neither root nor the owner that the archive names, so the group gets the
 *  rights of the owner, and others those but writing; setuid and setgid bits go. Owners must be able to read what they own, so that it can be
 *  read at all.
 *  @throws SluiceError IMAGE_INVALID, IMAGE_UNSUPPORTED (no whiteouts here); DISK_FULL is the caller's to make of ENOSPC
 *  @see OCI image specification, layer.md */
export async function applyLayer(
  folders: LayerFolders,
  archive: AsyncIterable<Uint8Array>,
  limits: LayerLimits,
): Promise<AppliedLayer> {
  const layer = new Layer(folders, limits);
  try {
    for await (const member of readTar(archive)) await layer.apply(member);
    layer.finish();
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
  readonly #view: MergedView;
  readonly #limits: LayerLimits;
  #members = 0;
  #entries = 0;
  /** Whiteouts share one. */
  #inodes = 0;
  #folders = 0;
  #bytes = 0;
  #blocks = 0;
  #leftOut = 0;

  constructor({ own, meta, parents }: LayerFolders, limits: LayerLimits) {
    this.#view = new MergedView(own, parents, linkedWhiteouts(meta), (kind) => this.#enter(kind));
    this.#limits = limits;
  }

  get applied(): AppliedLayer {
    const diskBytes = (this.#inodes + this.#blocks) * BLOCK_BYTES;
    return { members: this.#members, bytes: this.#bytes, diskBytes, leftOut: this.#leftOut };
  }

  async apply(member: TarMember): Promise<void> {
    this.#members += 1;
    if (this.#members > this.#limits.maxMembers) throw tooLarge(`more than ${this.#limits.maxMembers} members`);
    const parts = splitName(member.path);
    const name = parts.pop();
    if (name === undefined) return;
    if (name.startsWith(WHITEOUT)) {
      this.#hide(parts, name);
      return;
    }
    const folder = this.#view.resolve(parts, true);
    if (folder === null) throw new Error("a folder that was made is missing");
    await this.#put(member, folder, name);
  }

  /** A layer's marks hide what layers before it left, never what it brings itself, whatever comes first. They make no folders. */
  #hide(parts: readonly string[], name: string): void {
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === "" || hidden === "." || hidden === "..") throw invalidArchive("a whiteout hides no name");
    const folder = this.#view.resolve(parts, false);
    if (folder === null) return;
    if (name === OPAQUE) this.#view.hideOlderIn(folder);
    // All others that begin like this are marks of aufs's own that say nothing here.
    else if (!name.startsWith(".wh..wh.")) this.#view.hideOlder(folder, hidden);
  }

  async #put(member: TarMember, folder: MergedFolder, name: string): Promise<void> {
    switch (member.type) {
      case "folder":
        this.#putFolder(member, folder, name);
        return;
      case "file":
        await this.#putFile(member, folder, name);
        return;
      case "link":
        this.#putLink(member, folder, name);
        return;
      case "symlink":
        this.#putSymlink(folder, name, member.linkPath, member.modifiedAt);
        return;
      default:
        this.#view.hide(folder, name);
        markBrought(folder);
        this.#leftOut += 1;
    }
  }

  #putFolder({ mode, modifiedAt }: TarMember, parent: MergedFolder, name: string): void {
    const shown = this.#view.look(parent, name);
    const rights = openMode(mode | 0o700);
    if (shown?.kind === "folder") {
      this.#view.makeOwn(shown.folder);
      chmodSync(onDisk(shown.folder.path), rights);
      markBrought(shown.folder);
      shown.folder.modifiedAt = modifiedAt;
    } else {
      this.#view.makeFolder(parent, name, rights).modifiedAt = modifiedAt;
    }
  }

  async #putFile(member: TarMember, folder: MergedFolder, name: string): Promise<void> {
    if (member.sizeBytes > MAX_FILE_BYTES) throw tooLarge(`a file of more than ${MAX_FILE_BYTES} bytes`);
    const path = this.#view.makeRoom(folder, name, "file");
    await writeMember(path, member, (bytes) => this.#count(bytes));
    this.#blocks += member.segments.reduce((sum, { bytes }) => sum + Math.ceil(bytes / BLOCK_BYTES), 0);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const all = this.#bytes + this.#folders * BLOCK_BYTES;
    if (all > this.#limits.maxBytes) throw tooLarge(`more than ${this.#limits.maxBytes} bytes`, "bytes");
  }

  /** One member may make a thousand folders on its way, or hide a million names. */
  #enter(kind: MadeEntry): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxMembers) throw tooLarge(`more than ${this.#limits.maxMembers} names`);
    if (kind === "whiteout") return;
    this.#inodes += 1;
    if (kind !== "folder") return;
    this.#folders += 1;
    this.#count(0);
  }

  #putSymlink(folder: MergedFolder, name: string, target: string, modifiedAt: number): void {
    const path = onDisk(this.#view.makeRoom(folder, name, "link"));
    symlinkSync(onDisk(target), path);
    const time = dateOf(modifiedAt);
    lutimesSync(path, time, time);
  }

  /** A second name of a file that is there. The target is looked up as other names are, so that it lies in the view. */
  #putLink(member: TarMember, folder: MergedFolder, name: string): void {
    const { shown, place } = this.#targetOf(member);
    const own = `${folder.path}/${name}`;
    if (place === own) return;
    // It replaces a folder that its target is in, which would go with it.
    if (place.startsWith(`${own}/`)) throw leadsNowhere(member);
    if (shown.isOwn) linkSync(onDisk(shown.path), onDisk(this.#view.makeRoom(folder, name, shown.kind)));
    else this.#copyFromParent(shown, folder, name);
  }

  /** @returns place: where it lies, or would lie, in the own tree */
  #targetOf(member: TarMember): { readonly shown: ShownFile; readonly place: BytePath } {
    const parts = splitName(member.linkPath);
    const name = parts.pop();
    const folder = name === undefined ? null : this.#view.resolve(parts, false);
    const shown = folder === null || name === undefined ? null : this.#view.look(folder, name);
    if (folder === null || shown === null || shown.kind === "folder") throw leadsNowhere(member);
    return { shown, place: `${folder.path}/${name}` };
  }

  /** What lies in another layer gets no further name there: parents are never written. */
  #copyFromParent({ kind, path: source }: ShownFile, folder: MergedFolder, name: string): void {
    const stats = lstatSync(onDisk(source));
    if (kind === "link") {
      this.#putSymlink(folder, name, readLink(source), stats.mtimeMs);
      return;
    }
    this.#count(stats.size);
    this.#blocks += Math.ceil(stats.size / BLOCK_BYTES);
    const path = onDisk(this.#view.makeRoom(folder, name, "file"));
    copyFileSync(onDisk(source), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const time = dateOf(stats.mtimeMs);
    utimesSync(path, time, time);
  }

  finish(): void {
    for (const { path, modifiedAt } of this.#view.ownFolders()) {
      if (modifiedAt === null) continue;
      const time = dateOf(modifiedAt);
      utimesSync(onDisk(path), time, time);
    }
  }
}

function leadsNowhere({ path }: TarMember): SluiceError {
  return invalidArchive(`the link ${shownName(path)} leads to no file of the image`);
}

/** @param limit in the error's details, for who can give more room */
function tooLarge(what: string, limit: "bytes" | "other" = "other"): SluiceError {
  return new SluiceError("IMAGE_INVALID", `Cannot unpack the layer: it has ${what}, which is the limit`, {
    details: { limit },
  });
}
