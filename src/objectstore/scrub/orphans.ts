import type { State } from "../../state/state.ts";
import type { BlobFolder } from "../blob-folder.ts";
import type { Orphan } from "./findings.ts";

const BATCH = 500;

export interface OrphanDeps {
  readonly state: Pick<State, "unknownBlobs">;
  readonly folder: BlobFolder;
}

/** Finds blob files that no row names, and with `remove` unlinks them; gives 0 now and then in between. The order of the looks makes it safe beside
 *  uploads and deletes: `BlobFolder.list` says why. */
export async function* findOrphans({ state, folder }: OrphanDeps, remove: boolean): AsyncGenerator<Orphan | 0> {
  for await (const ids of folder.list()) {
    for (let at = 0; at < ids.length; at += BATCH) {
      for (const blob of await state.unknownBlobs(ids.slice(at, at + BATCH))) {
        const bytes = await folder.sizeOf(blob);
        if (bytes === null) continue;
        if (remove) await folder.remove(blob);
        yield { kind: "orphan", blob, bytes, removed: remove };
      }
      yield 0;
    }
  }
}
