import type { SandboxSpec } from "./sandbox.ts";
import { type FolderSize, type FolderUser, type GivenFolder, giveFolder, takeFolderBack } from "./work-folder.ts";

const KNOWN_NOTHING: GivenFolder = { times: new Map(), entries: null };

/** A work folder that belongs to a sandbox's user while something runs, and to the server in between and at last. */
export class LentFolder {
  readonly #spec: Pick<SandboxSpec, "workFolder" | "outputFolder" | "workEntries">;
  readonly #user: FolderUser | null;
  #given: GivenFolder | null = null;
  #untouched: ReadonlySet<string> | null = null;

  /** @param user null where who runs inside is who the server is */
  constructor(spec: Pick<SandboxSpec, "workFolder" | "outputFolder" | "workEntries">, user: FolderUser | null) {
    [this.#spec, this.#user] = [spec, user];
  }

  /** False as well when it was begun to be given. */
  get isBack(): boolean {
    return this.#given === null;
  }

  /** Names that no run so far has touched; see `Instance.untouched`. */
  get untouched(): ReadonlySet<string> {
    return this.#untouched ?? new Set();
  }

  /** Does nothing where it is given already. */
  async give(): Promise<void> {
    if (this.#given !== null) return;
    const { workFolder, outputFolder, workEntries } = this.#spec;
    // What a script has been in is looked at anew: a link may stand where a folder was.
    const entries = this.#untouched === null ? (workEntries ?? null) : null;
    this.#given = KNOWN_NOTHING;
    this.#given = await giveFolder(workFolder, this.#user, outputFolder, entries);
  }

  /** Every process of the sandbox must be gone. */
  async takeBack(): Promise<FolderSize> {
    const { size, untouched } = await takeFolderBack(this.#spec.workFolder, this.#user, this.#given ?? KNOWN_NOTHING);
    const before = this.#untouched;
    // What was touched in one run stays so, whatever the next one does.
    this.#untouched = before === null ? untouched : new Set([...untouched].filter((name) => before.has(name)));
    this.#given = null;
    return size;
  }
}
