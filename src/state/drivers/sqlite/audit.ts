import type { BlobHolder, StoreAudit, WrongReferences } from "../../store-check-calls.ts";
import { HOLDERS, NAMED, OF_OTHER_SIZE } from "./blob-holders.ts";

/** One statement's rows, one by one. */
export type Query = <Row>(sql: string, ...values: readonly (string | number)[]) => Iterable<Row>;

const BLOBS = "SELECT id, blob_id, refs, size FROM blobs ORDER BY id";
const COUNTS = `SELECT blob, count(*) n FROM (${NAMED}) GROUP BY blob ORDER BY blob`;
/** The few that are asked for get an index on the way, and all blobs are read once. */
export const TWINS = `WITH wanted AS MATERIALIZED
  (SELECT id, md5, size FROM blobs WHERE id IN (SELECT value FROM json_each(?)) AND md5 <> '')
  SELECT d.id "row", b.id twin FROM blobs b CROSS JOIN wanted d ON b.md5 = d.md5 AND b.size = d.size AND b.id <> d.id LIMIT ?`;

type HolderRow = Omit<BlobHolder, "isLatest"> & { readonly isLatest: number };
interface BlobRow {
  readonly id: number;
  readonly blob_id: string;
  readonly refs: number;
  readonly size: number;
}

/** Looks through all rows that name blobs. The caller sees to it that `query` reads one moment. */
export function audit(query: Query, asked: readonly number[], limit: number): StoreAudit {
  const { blobs, bytes, references, rowless } = compareCounts(query, limit);
  const wanted = JSON.stringify(asked);
  const sizes = first(query<HolderRow>(OF_OTHER_SIZE), limit);
  const gone = holders(query, rowless, limit);
  return {
    blobs,
    bytes,
    references,
    holders: asked.length === 0 ? [] : holders(query, asked, limit),
    lost: [
      ...gone.map((holder) => ({ ...holder, damage: "row" as const })),
      ...sizes.map((row) => ({ ...toHolder(row), damage: "size" as const })),
    ],
    twins:
      asked.length === 0
        ? []
        : [...query<{ row: number; twin: number }>(TWINS, wanted, limit)].map((row) => ({ ...row })),
  };
}

const holders = (query: Query, rows: readonly number[], limit: number): BlobHolder[] =>
  rows.length === 0 ? [] : first(query<HolderRow>(HOLDERS, JSON.stringify(rows)), limit).map(toHolder);

const toHolder = (row: HolderRow): BlobHolder => ({ ...row, isLatest: row.isLatest === 1 });

function first<Row>(rows: Iterable<Row>, limit: number): Row[] {
  const kept: Row[] = [];
  for (const row of rows) {
    if (kept.length === limit) break;
    kept.push(row);
  }
  return kept;
}

/** Both lists are in the order of the blobs' rows, so that one walk compares them, however long they are. */
function compareCounts(query: Query, limit: number) {
  const counts = query<{ blob: number; n: number }>(COUNTS)[Symbol.iterator]();
  const references: WrongReferences[] = [];
  const rowless: number[] = [];
  let [blobs, bytes] = [0, 0];
  let next = counts.next();
  /** Passes over what is named but has no row before `id`. */
  const passTo = (id: number): void => {
    for (; next.done !== true && next.value.blob < id; next = counts.next()) {
      if (rowless.length < limit) rowless.push(next.value.blob);
    }
  };
  for (const { id, blob_id: blobId, refs, size } of query<BlobRow>(BLOBS)) {
    blobs += 1;
    bytes += size;
    passTo(id);
    const counted = next.done !== true && next.value.blob === id ? next.value.n : 0;
    if (counted > 0) next = counts.next();
    if (counted !== refs && references.length < limit) references.push({ row: id, blobId, kept: refs, counted });
  }
  passTo(Number.POSITIVE_INFINITY);
  return { blobs, bytes, references, rowless };
}
