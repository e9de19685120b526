import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, type Stats, unlinkSync } from "node:fs";
import { type BytePath, bytePath, onDisk, shownName } from "./member-name.ts";
import { invalidArchive } from "./tar/tar-header.ts";
import { isWhiteout, type WhiteoutMaker } from "./whiteout.ts";

/** Symbolic links followed on the way to one folder, as in Linux. */
const MAX_LINKS = 40;
/** What the owner may, the group may, which the sandboxes' users are in. */
const FOLDER_MODE = 0o775;

/** A folder as the whole stack shows it: the layer's own, over those of its parents that lie under it. */
export interface MergedFolder {
  readonly parent: MergedFolder | null;
  /** Where it lies, or would lie, in the layer's own tree. */
  readonly path: BytePath;
  /** The parents' folders that are merged into it, from the top. */
  readonly lowers: readonly BytePath[];
  /** Folders in it that were met so far. Every folder of the own tree is in its parent's, and none that was replaced. */
  readonly folders: Map<string, MergedFolder>;
  /** All else that the own tree has in it. The layer began empty and nobody else writes in it, so that the disk need not be asked. */
  readonly entries: Map<string, "file" | "link" | "whiteout">;
  /** It is in the own tree. */
  isOwn: boolean;
  /** The layer has put it there, or something into it: a mark of the same layer spares it. */
  isBrought: boolean;
  /** Nothing of parents shows in it any more. */
  isOpaque: boolean;
  /** UTC ms, to be set when all is in place: to make something in a folder changes its time. Null: as it comes. */
  modifiedAt: number | null;
}

/** What the stack shows at a name. */
export type Shown = { readonly kind: "folder"; readonly folder: MergedFolder } | ShownFile;

export interface ShownFile {
  readonly kind: "file" | "link";
  /** Where it lies: in the own tree or a parent's. */
  readonly path: BytePath;
  readonly isOwn: boolean;
}

export type MadeEntry = "folder" | "file" | "link" | "whiteout";

/** The tree that a layer over its parents shows, as overlayfs would, of which only the layer's own folder is ever written. Nobody else writes in
 *  any of them while this lives, so that what was looked at stays: a path made of known folders holds no symbolic link.
 *
 *  Names are looked up in the own tree first, then in the parents from the top; a whiteout or what is no folder hides all below. */
export class MergedView {
  readonly root: MergedFolder;
  readonly #whiteouts: WhiteoutMaker;
  readonly #onEntry: (kind: MadeEntry) => void;

  /** @param own an empty folder @param parents lowest first @param onEntry is told of all that is put into the own tree, before; what it throws keeps it out */
  constructor(
    own: string,
    parents: readonly string[],
    whiteouts: WhiteoutMaker,
    onEntry: (kind: MadeEntry) => void = () => {},
  ) {
    const lowers = parents.map(bytePath).toReversed();
    this.root = { ...newFolder(null, bytePath(own), lowers), isOwn: true };
    [this.#whiteouts, this.#onEntry] = [whiteouts, onEntry];
  }

  look(folder: MergedFolder, name: string): Shown | null {
    const known = folder.folders.get(name);
    if (known !== undefined) return { kind: "folder", folder: known };
    const kind = folder.entries.get(name);
    if (kind !== undefined) return kind === "whiteout" ? null : { kind, path: `${folder.path}/${name}`, isOwn: true };
    return this.#lookBelow(folder, name);
  }

  #lookBelow(folder: MergedFolder, name: string): Shown | null {
    const found = firstBelow(folder, name);
    if (found === null || isWhiteout(found.stats)) return null;
    if (!found.stats.isDirectory()) {
      return { kind: found.stats.isSymbolicLink() ? "link" : "file", path: found.path, isOwn: false };
    }
    const merged = newFolder(folder, `${folder.path}/${name}`, lowersOf(folder, name));
    folder.folders.set(name, merged);
    return { kind: "folder", folder: merged };
  }

  /** The folder that a path leads to, every link on the way followed as if the view were the machine's own: an absolute one begins at the root,
   *  and `..` stops there. No link can lead outside.
   *  @param make true makes missing folders (0755)
   *  @returns null when there is no such folder and `make` is false
   *  @throws SluiceError IMAGE_INVALID when a folder cannot be made as a file is in the way, or links go in circles */
  resolve(path: readonly string[], make: boolean): MergedFolder | null {
    const waiting = path.toReversed();
    let at = this.root;
    let links = 0;
    for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
      if (part === "..") {
        at = at.parent ?? at;
        continue;
      }
      const shown = this.look(at, part);
      if (shown === null) {
        if (!make) return null;
        at = this.makeFolder(at, part, FOLDER_MODE);
      } else if (shown.kind === "folder") {
        at = shown.folder;
      } else if (shown.kind === "link") {
        links += 1;
        if (links > MAX_LINKS)
          throw invalidArchive(`the links on the way to ${shownName(path.join("/"))} go in circles`);
        const target = readLink(shown.path);
        if (target.startsWith("/")) at = this.root;
        waiting.push(...partsOf(target).reverse());
      } else {
        if (!make) return null;
        throw invalidArchive(`${shownName(path.join("/"))} leads through a file as if it were a folder`);
      }
    }
    return at;
  }

  /** Puts a folder into the own tree that only parents have so far, with the mode and time that it shows. */
  makeOwn(folder: MergedFolder): void {
    if (folder.isOwn) return;
    if (folder.parent !== null) this.makeOwn(folder.parent);
    const top = folder.lowers[0];
    if (top === undefined) throw new Error("a folder is in no layer");
    const { mode, mtimeMs } = lstatSync(onDisk(top));
    this.#onEntry("folder");
    mkdirSync(onDisk(folder.path), { mode: mode & 0o777 });
    folder.isOwn = true;
    folder.modifiedAt = mtimeMs;
  }

  /** A new folder where the stack shows none. What parents have in a folder of that name that is hidden by now stays hidden, one whiteout an entry. */
  makeFolder(parent: MergedFolder, name: string, mode: number): MergedFolder {
    this.makeOwn(parent);
    const wasHidden = this.#removeOwn(parent, name);
    const made = newFolder(parent, `${parent.path}/${name}`, lowersOf(parent, name));
    this.#onEntry("folder");
    mkdirSync(onDisk(made.path), { mode });
    made.isOwn = true;
    parent.folders.set(name, made);
    markBrought(made);
    if (wasHidden) {
      made.isOpaque = true;
      for (const entry of namesBelow(made)) this.#putWhiteout(made, entry);
    }
    return made;
  }

  /** Where a new entry goes, after what the own tree had there was removed. What parents show there is hidden by the entry itself. */
  makeRoom(folder: MergedFolder, name: string, kind: "file" | "link"): BytePath {
    this.makeOwn(folder);
    this.#removeOwn(folder, name);
    this.#onEntry(kind);
    folder.entries.set(name, kind);
    markBrought(folder);
    return `${folder.path}/${name}`;
  }

  /** Removes what the own tree has at a name; false when there is nothing. What parents show there shows again. */
  #removeOwn(folder: MergedFolder, name: string): boolean {
    const known = folder.folders.get(name);
    folder.folders.delete(name);
    const path = `${folder.path}/${name}`;
    if (known?.isOwn === true) rmSync(onDisk(path), { recursive: true });
    else if (folder.entries.delete(name)) unlinkSync(onDisk(path));
    else return false;
    return true;
  }

  #putWhiteout(folder: MergedFolder, name: string): void {
    this.#onEntry("whiteout");
    this.#whiteouts.put(`${folder.path}/${name}`);
    folder.entries.set(name, "whiteout");
  }

  /** Nothing shows at the name afterwards. */
  hide(folder: MergedFolder, name: string): void {
    this.#removeOwn(folder, name);
    const below = firstBelow(folder, name);
    if (below === null || isWhiteout(below.stats)) return;
    this.makeOwn(folder);
    this.#putWhiteout(folder, name);
  }

  /** Hides what parents show at the name, and nothing that this layer has put there. */
  hideOlder(folder: MergedFolder, name: string): void {
    const known = folder.folders.get(name);
    if (known?.isBrought === true) this.hideOlderIn(known);
    else if ((folder.entries.get(name) ?? "whiteout") === "whiteout") this.hide(folder, name);
  }

  hideOlderIn(folder: MergedFolder): void {
    // What parents have stays hidden: only the layer's own can come in its place.
    if (folder.isOpaque) return;
    folder.isOpaque = true;
    for (const name of namesBelow(folder)) this.hideOlder(folder, name);
  }

  /** Every folder of the own tree, each after those in it. */
  *ownFolders(folder: MergedFolder = this.root): Generator<MergedFolder> {
    for (const child of folder.folders.values()) if (child.isOwn) yield* this.ownFolders(child);
    yield folder;
  }
}

/** The folder and all above it hold something of the layer's own. */
export function markBrought(folder: MergedFolder): void {
  for (let at: MergedFolder | null = folder; at !== null && !at.isBrought; at = at.parent) at.isBrought = true;
}

/** The target of a symbolic link, as bytes. */
export function readLink(path: BytePath): string {
  return readlinkSync(onDisk(path), { encoding: "buffer" }).toString("latin1");
}

function newFolder(parent: MergedFolder | null, path: BytePath, lowers: readonly BytePath[]): MergedFolder {
  return {
    parent,
    path,
    lowers,
    folders: new Map(),
    entries: new Map(),
    isOwn: false,
    isBrought: false,
    isOpaque: false,
    modifiedAt: null,
  };
}

const statsOf = (path: BytePath): Stats | undefined => lstatSync(onDisk(path), { throwIfNoEntry: false });

/** The highest that parents have at the name, a whiteout too. */
function firstBelow(folder: MergedFolder, name: string): { readonly path: BytePath; readonly stats: Stats } | null {
  for (const lower of folder.lowers) {
    const path = `${lower}/${name}`;
    const stats = statsOf(path);
    if (stats !== undefined) return { path, stats };
  }
  return null;
}

/** The parents' folders of that name that are merged: those over the first that is none. */
function lowersOf(folder: MergedFolder, name: string): BytePath[] {
  const lowers: BytePath[] = [];
  for (const lower of folder.lowers) {
    const path = `${lower}/${name}`;
    const stats = statsOf(path);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) break;
    lowers.push(path);
  }
  return lowers;
}

/** The names that the parents' folders show together. */
function namesBelow(folder: MergedFolder): string[] {
  const seen = new Map<string, boolean>();
  for (const lower of folder.lowers) {
    for (const entry of readdirSync(onDisk(lower), { encoding: "buffer", withFileTypes: true })) {
      const name = entry.name.toString("latin1");
      // Layers hold no devices but whiteouts.
      if (!seen.has(name)) seen.set(name, !entry.isCharacterDevice());
    }
  }
  return [...seen].filter(([, isShown]) => isShown).map(([name]) => name);
}

const partsOf = (target: string): string[] => target.split("/").filter((part) => part !== "" && part !== ".");
