import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import type { Log } from "../../../lib/log.ts";
import type { Engine } from "./engine.ts";
import { packRoot, type RootArchive } from "./root-archive.ts";

/** What the label of an image says. */
interface Made {
  readonly server: string;
  /** Tells roots apart. */
  readonly key: string;
  /** Path of the top layer. */
  readonly layer: string;
}

export interface ImportedRootsOptions {
  readonly engine: Engine;
  /** Of this server: another one's images are not touched. `[A-Za-z0-9._-]`. */
  readonly name: string;
  readonly log: Log;
}

/** Roots of images in the engine's own store. Layers were verified when they were pulled; each stack of them is handed to the engine once, as one layer, and
 *  found again after a restart. It goes when its layers do. */
export class ImportedRoots {
  readonly #options: ImportedRootsOptions;
  readonly #known = new Map<string, Promise<string>>();
  /** Of those that are here. */
  readonly #ids = new Map<string, string>();

  constructor(options: ImportedRootsOptions) {
    this.#options = options;
  }

  /** The engine's id of an image with this root. Callers share one import. @throws SluiceError SANDBOX_UNAVAILABLE, IMAGE_UNSUPPORTED */
  async idOf(root: RootArchive): Promise<string> {
    const key = createHash("sha256").update(JSON.stringify(root)).digest("hex");
    const known = this.#known.get(key) ?? this.#find(key, root);
    this.#known.set(key, known);
    try {
      const id = await known;
      this.#ids.set(key, id);
      return id;
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }

  /** The next call looks for the image anew. */
  forget(id: string): void {
    for (const [key, known] of this.#ids) if (known === id) this.#known.delete(key);
  }

  /** Removes what was made of layers that are gone. @returns how many */
  async clean(): Promise<number> {
    const { engine, name } = this.#options;
    const own = (await engine.importedRoots()).filter(({ label }) => parse(label)?.server === name);
    const gone = own.filter(
      ({ label }) => statSync(parse(label)?.layer ?? "", { throwIfNoEntry: false }) === undefined,
    );
    for (const { id } of gone) await engine.removeImage(id);
    return gone.length;
  }

  async #find(key: string, root: RootArchive): Promise<string> {
    const { engine, name, log } = this.#options;
    const found = (await engine.importedRoots()).find(({ label }) => {
      const made = parse(label);
      return made?.server === name && made.key === key;
    });
    if (found !== undefined) return found.id;
    // Here the disk is needed.
    await this.clean().catch((error: unknown) => log.warn("cannot remove images that nobody needs", { error }));
    return await engine.importRoot(packRoot(root), format({ server: name, key, layer: root.layers.at(-1) ?? "" }));
  }
}

const format = (made: Made): string => Buffer.from(JSON.stringify(made)).toString("base64url");

/** Null for what somebody else wrote. */
function parse(label: string): Made | null {
  try {
    return JSON.parse(Buffer.from(label, "base64url").toString()) as Made;
  } catch {
    return null;
  }
}
