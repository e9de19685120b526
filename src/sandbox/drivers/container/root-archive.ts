import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import type { Readable } from "node:stream";
import type { Pack } from "tar-stream";
import { SluiceError } from "../../../core/errors.ts";
import { addEntry, addFile, type EntryHeader, makeArchive } from "./archives.ts";

export interface RootArchive {
  /** Lower folders of overlayfs, lowest first. */
  readonly layers: readonly string[];
  /** Whom everything belongs to. */
  readonly uid: number;
  readonly gid: number;
  /** Absolute paths of folders to add. */
  readonly folders: readonly string[];
}

/** What a stack of layers shows, as one archive. */
export function packRoot(root: RootArchive): Readable {
  return makeArchive((archive) => new RootPacker(archive, root).run());
}

class RootPacker {
  readonly #archive: Pack;
  readonly #root: RootArchive;
  /** Inode of a file with several names → the first of them. */
  readonly #linked = new Map<string, string>();

  constructor(archive: Pack, root: RootArchive) {
    [this.#archive, this.#root] = [archive, root];
  }

  async run(): Promise<void> {
    const { layers, folders } = this.#root;
    await this.#folder("", layers.toReversed());
    for (const path of folders) {
      const names = path.split("/").filter((name) => name !== "");
      for (let depth = 1; depth <= names.length; depth++) {
        await this.#entry({ name: `${names.slice(0, depth).join("/")}/`, type: "directory", mode: FOLDER_MODE });
      }
    }
  }

  /** @param lowers the folders that are merged into it, highest first */
  async #folder(path: string, lowers: readonly string[]): Promise<void> {
    for (const [name, places] of merged(lowers)) {
      const inside = `${path}${name}`;
      const [top] = places;
      if (top === undefined) continue;
      if (!top.stats.isDirectory()) {
        await this.#file(inside, top.path, top.stats);
        continue;
      }
      await this.#entry({ name: `${inside}/`, type: "directory", ...factsOf(top.stats) });
      await this.#folder(
        `${inside}/`,
        places.map((place) => place.path),
      );
    }
  }

  async #file(name: string, path: string, stats: Stats): Promise<void> {
    const facts = { name, ...factsOf(stats) };
    if (stats.isSymbolicLink()) return await this.#entry({ ...facts, type: "symlink", linkname: readlinkSync(path) });
    if (stats.isFIFO()) return await this.#entry({ ...facts, type: "fifo" });
    if (!stats.isFile()) return;
    const inode = `${stats.dev}:${stats.ino}`;
    const first = this.#linked.get(inode);
    if (first !== undefined) return await this.#entry({ ...facts, type: "link", linkname: first });
    if (stats.nlink > 1) this.#linked.set(inode, name);
    await addFile(this.#archive, { ...facts, ...this.#owner(), size: stats.size }, path);
  }

  #entry(header: EntryHeader): Promise<void> {
    return addEntry(this.#archive, { ...header, ...this.#owner() });
  }

  #owner(): { uid: number; gid: number } {
    return { uid: this.#root.uid, gid: this.#root.gid };
  }
}

const FOLDER_MODE = 0o755;

interface Place {
  readonly path: string;
  readonly stats: Stats;
}

/** The names that folders show together, each with the places that are merged there, highest first. A whiteout, and anything that is no folder, hides what
 *  lies below it. */
function merged(lowers: readonly string[]): Map<string, Place[]> {
  const found = new Map<string, { readonly places: Place[]; isClosed: boolean }>();
  for (const lower of lowers) {
    for (const bytes of readdirSync(lower, { encoding: "buffer" })) {
      const name = nameOf(bytes);
      const known = found.get(name) ?? { places: [], isClosed: false };
      found.set(name, known);
      if (known.isClosed) continue;
      const stats = lstatSync(`${lower}/${name}`);
      const isFolder = stats.isDirectory();
      if (isFolder || (known.places.length === 0 && !stats.isCharacterDevice())) {
        known.places.push({ path: `${lower}/${name}`, stats });
      }
      known.isClosed = !isFolder;
    }
  }
  return new Map([...found].map(([name, { places }]) => [name, places]));
}

function nameOf(bytes: Buffer): string {
  const name = bytes.toString();
  if (Buffer.from(name).equals(bytes)) return name;
  throw new SluiceError(
    "IMAGE_UNSUPPORTED",
    `Cannot give the image to the container engine: it has a file whose name is no UTF-8 (${JSON.stringify(name)})`,
  );
}

const factsOf = (stats: Stats): Pick<EntryHeader, "mode" | "mtime"> => ({
  mode: stats.mode & 0o777,
  mtime: stats.mtime,
});
