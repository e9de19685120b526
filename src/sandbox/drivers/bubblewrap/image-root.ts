import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { SluiceError } from "../../../core/errors.ts";
import { namesOf, shownAt } from "../../../lib/overlay-lookup.ts";
import type { SandboxMount, SandboxRoot } from "../../sandbox.ts";
import { HOSTS } from "./etc-folder.ts";
import { type IdMaps, rootMaps } from "./id-maps.ts";
import { quote } from "./launcher-script.ts";
import { ROOT_MOUNT, type Slot } from "./slot.ts";

export type ImageRootSpec = Extract<SandboxRoot, { kind: "image" }>;

const MAX_LAYERS = 120;
const EVERYBODYS_FOLDER = 0o1777;
const GROUPS_FOLDER = 0o775;
const GROUPS_FILE = 0o664;

export interface ImageRootsOptions {
  /** Where the made top layers lie: owned by the server, passable for every slot's user. */
  readonly runtimeFolder: string;
  /** The group of the slots' users; null where the server is an ordinary user. */
  readonly gid: number | null;
}

/** What is put together for one sandbox. */
export interface ImageRootJob {
  readonly root: ImageRootSpec;
  readonly slot: Slot;
  readonly workFolder: string;
  readonly mounts: readonly SandboxMount[];
  /** A path inside; made where the image has none. */
  readonly workingDirectory: string;
  /** The path by which the slot's user reaches a folder of the server. */
  readonly visiblePath: (path: string) => string;
}

/** Roots that are images: the layers of the image, read-only and shared by all, with a layer of the sandbox's own over them.
 *
 *  Between both lies one that Sluice makes: folders for what will be mounted, and /etc/hosts and /etc/resolv.conf. In an image there may be links in these
 *  places, which lead out of the root while bubblewrap puts it together; here they are folders, which hide links.
 *
 *  The overlay is mounted by the slot's launcher in a user namespace of its own, where the slot's user is root (see `rootMaps`); bubblewrap makes
 *  another one inside, so the script has no capability in either. Files of the image belong to the owner of images and, with his rights, to the group
 *  that all slots have: scripts write everywhere in the root as an image's user would, and every change lands in the sandbox's layer. */
export class ImageRoots {
  readonly #options: ImageRootsOptions;
  readonly #tops = new Map<string, string>();

  constructor(options: ImageRootsOptions) {
    this.#options = options;
  }

  /** Which ids the slot's launcher needs for this image. */
  maps(root: ImageRootSpec, slot: Slot): IdMaps {
    const owner = ownerOf(root);
    return rootMaps(slot.ids, owner === slot.ids.uid ? null : owner);
  }

  /** Points the slot to the layers and to the work folder, so that the overlay's options are short and hold no character of a path.
   *  @returns the launcher's command, run in the slot's folder */
  prepare({ root, slot, workFolder, mounts, workingDirectory, visiblePath }: ImageRootJob): string {
    const [first = ""] = root.layers;
    const folder = dirname(first);
    const names = root.layers.map((layer) => basename(layer)).toReversed();
    if (names.length === 0 || names.length > MAX_LAYERS || !root.layers.every((layer) => dirname(layer) === folder)) {
      throw new SluiceError(
        "IMAGE_UNSUPPORTED",
        `Cannot use the image: it has ${names.length} layers, and 1 to ${MAX_LAYERS} can be mounted`,
      );
    }
    slot.point("l", visiblePath(folder));
    slot.point("w", visiblePath(slot.root.prepare(workFolder)));
    const missing = isMissing(workingDirectory, root.layers) ? [workingDirectory] : [];
    const top = this.#top(ownerOf(root), mounts, missing);
    slot.point("t", top);
    const lower = ["t", ...names.map((name) => `l/${name}`)].join(":");
    const options = `lowerdir=${lower},upperdir=w/upper,workdir=w/work,userxattr`;
    const mount = `mount -t overlay overlay -o ${quote(options)} ${ROOT_MOUNT}`;
    const key = JSON.stringify([folder, names, root.layers.map(identityOf), top]);
    const again = slot.root.mounted === key;
    slot.root.mounted = key;
    // The made layer has an /etc: it tells whether something is mounted, whatever became of the launcher.
    const isMounted = `[ -e ${ROOT_MOUNT}/etc ]`;
    return again ? `{ ${isMounted} || ${mount}; }` : `{ ! ${isMounted} || umount ${ROOT_MOUNT}; } && ${mount}`;
  }

  /** The layer of our own: one for each set of places to mount on. */
  #top(owner: number, mounts: readonly SandboxMount[], more: readonly string[]): string {
    const folders = mounts.filter(({ kind }) => kind === "folder").map(({ target }) => target);
    const files = mounts.filter(
      ({ kind, target }) => kind === "blob" && !folders.some((at) => target.startsWith(`${at}/`)),
    );
    const key = JSON.stringify([owner, folders, more, files.map(({ target }) => target)]);
    const known = this.#tops.get(key);
    if (known !== undefined) return known;
    const path = `${this.#options.runtimeFolder}/top-${this.#tops.size}`;
    rmSync(path, { recursive: true, force: true });
    const made = new Made(path, owner, this.#options.gid);
    for (const name of ["", "/proc", "/dev", "/sys", "/etc"]) made.folder(name, GROUPS_FOLDER);
    made.folder("/tmp", EVERYBODYS_FOLDER);
    for (const target of [...folders, ...more]) made.folders(target);
    for (const { target } of files) made.file(target, "");
    made.file("/etc/hosts", HOSTS);
    made.file("/etc/resolv.conf", "");
    this.#tops.set(key, path);
    return path;
  }
}

/** Files of a layer: with the owner of the image's own files, so that the kernel can copy them up. */
class Made {
  readonly #root: string;
  readonly #uid: number;
  readonly #gid: number | null;
  readonly #known = new Set<string>();

  constructor(root: string, uid: number, gid: number | null) {
    [this.#root, this.#uid, this.#gid] = [root, uid, gid];
  }

  folder(path: string, mode: number): void {
    if (this.#known.has(path)) return;
    this.#known.add(path);
    mkdirSync(this.#root + path);
    this.#give(path, mode);
  }

  /** With those above it. */
  folders(path: string): void {
    const parts = path.split("/").slice(1);
    for (let depth = 1; depth <= parts.length; depth++) {
      this.folder(`/${parts.slice(0, depth).join("/")}`, GROUPS_FOLDER);
    }
  }

  file(path: string, text: string): void {
    this.folders(dirname(path));
    writeFileSync(this.#root + path, text);
    this.#give(path, GROUPS_FILE);
  }

  #give(path: string, mode: number): void {
    if (this.#gid !== null) chownSync(this.#root + path, this.#uid, this.#gid);
    chmodSync(this.#root + path, mode);
  }
}

/** Layers that were removed and pulled again have the names that they had, and a mount would go on showing the ones that are gone. */
function identityOf(layer: string): string {
  const stats = lstatSync(layer, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino}.${stats.ctimeNs}`;
}

/** False also where a link or a file is on the way: that is the image's own affair. */
function isMissing(path: string, layers: readonly string[]): boolean {
  const names = namesOf(path);
  for (let depth = 1; depth <= names.length; depth++) {
    const shown = shownAt(layers, names.slice(0, depth));
    if (shown === null) return true;
    if (!shown.stats.isDirectory()) return false;
  }
  return false;
}

/** Who owns the image's files: the account that unpacked it. */
function ownerOf({ layers: [first] }: ImageRootSpec): number {
  const stats = first === undefined ? undefined : lstatSync(first, { throwIfNoEntry: false });
  if (stats === undefined) throw new SluiceError("SANDBOX_UNAVAILABLE", "Cannot use the image: its layers are gone");
  return stats.uid;
}
