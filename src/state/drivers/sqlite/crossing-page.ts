import type { ObjectInfo } from "../../../core/object.ts";
import type { ObjectPage } from "../../state.ts";
import { unlessEmpty } from "./crossing-bytes.ts";

type Texts = Readonly<Record<string, string>>;
/** Null for an empty one, which most are. */
type Cell = string | number | Texts | null;

/** A page of objects as it crosses between threads: the cells of all objects in one list, because an object's names are written and read again
 *  with every object, which costs more than the values. */
export interface PageRow {
  readonly cells: readonly Cell[];
  readonly commonPrefixes: readonly string[];
  readonly next: string | null;
}

const CELLS = 13;

/** Of latest versions without parts and delete markers, which is what listings give. */
export function pageRow({ objects, commonPrefixes, next }: ObjectPage): PageRow {
  const cells: Cell[] = [];
  for (const each of objects) {
    cells.push(each.key, each.versionSeq, each.versionId, each.sizeBytes, each.etag, each.contentType);
    cells.push(
      unlessEmpty(each.metadata),
      unlessEmpty(each.headers),
      unlessEmpty(each.checksums),
      unlessEmpty(each.tags),
    );
    cells.push(each.lastModified, each.owner, each.jobId);
  }
  return { cells, commonPrefixes, next };
}

export function pageOf(bucket: string, { cells, commonPrefixes, next }: PageRow): ObjectPage {
  const objects: ObjectInfo[] = [];
  for (let at = 0; at < cells.length; at += CELLS) objects.push(objectAt(bucket, cells, at));
  return { objects, commonPrefixes, next };
}

/** The types are those that `pageRow` wrote. */
function objectAt(bucket: string, cells: readonly Cell[], at: number): ObjectInfo {
  return {
    bucket,
    key: cells[at] as string,
    versionSeq: cells[at + 1] as number,
    versionId: cells[at + 2] as string,
    isLatest: true,
    isDeleteMarker: false,
    sizeBytes: cells[at + 3] as number,
    etag: cells[at + 4] as string,
    contentType: cells[at + 5] as string,
    metadata: (cells[at + 6] as Texts | null) ?? {},
    headers: (cells[at + 7] as Texts | null) ?? {},
    checksums: (cells[at + 8] as Texts | null) ?? {},
    tags: (cells[at + 9] as Texts | null) ?? {},
    parts: null,
    lastModified: cells[at + 10] as number,
    owner: cells[at + 11] as string,
    jobId: cells[at + 12] as string | null,
  };
}
