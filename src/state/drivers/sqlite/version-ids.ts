/** The version id of what was written while versioning was off or suspended. */
export const NULL_VERSION_ID = "null";

const DIGITS = 16;
const ID = new RegExp(`^[0-9a-f]{${DIGITS}}$`);

/** The version id that a bucket with versioning gives: the version's number, so that the id leads to the row by its primary key. */
export const versionIdOf = (versionSeq: number): string => versionSeq.toString(16).padStart(DIGITS, "0");

/** The number in a version id; null when no version can have that id. */
export function versionSeqOf(versionId: string): number | null {
  if (!ID.test(versionId)) return null;
  const seq = Number.parseInt(versionId, 16);
  return Number.isSafeInteger(seq) ? seq : null;
}

/** SQL: whether versioning was enabled in the bucket of the staged row `s` when its publication `p` became visible. */
export const WAS_VERSIONED = "coalesce(instr(p.versioned, ',' || s.bucket || ','), 0) > 0";

/** SQL: the version id of a staged row `s` of the publication `p`. It is the same when the row has become an object. */
export const PUBLISHED_VERSION_ID = `CASE WHEN ${WAS_VERSIONED} THEN printf('%0${DIGITS}x', p.version_base + s.n)
  ELSE '${NULL_VERSION_ID}' END`;
