import type { StoreFinding } from "../client/client.ts";
import { printable } from "./text.ts";
import { bytesText } from "./units.ts";

type Summary = Extract<StoreFinding, { kind: "end" }>;
type Said = Exclude<StoreFinding, { kind: "end" | "progress" }>;
type Thing = Extract<StoreFinding, { kind: "object" }>;

const DAMAGES: Readonly<Record<Thing["damage"], string>> = {
  missing: "its file is gone",
  size: "its bytes are more or fewer than they were",
  bytes: "its bytes do not match their checksum",
  unreadable: "its file cannot be read",
  row: "the database has lost where its bytes are",
};

/** One finding as a line. */
export function findingText(finding: Said): string {
  switch (finding.kind) {
    case "references":
      return `blob ${finding.blob}: counted ${finding.kept} references, there are ${finding.counted}${finding.mended ? " (mended)" : ""}`;
    case "damaged":
      return `blob ${finding.blob}: ${finding.detail}`;
    case "orphan":
      return `blob ${finding.blob}: no row names this file of ${bytesText(finding.bytes)}${finding.removed ? " (removed)" : ""}`;
    case "mended":
      return `blob ${finding.blob}: mended, with the bytes of ${finding.from}`;
    case "object":
      return `damaged: ${nameOf(finding)}: ${DAMAGES[finding.damage]}`;
  }
}

function nameOf({ holder, bucket, key, versionId, isLatest, id }: Thing): string {
  const place = printable(`${bucket}/${key}`);
  if (holder === "job") return `the input of job ${id}`;
  if (holder === "output") return `${place}, an output of job ${id}`;
  if (holder === "upload") return `${place}, in the unfinished upload ${id}`;
  return isLatest ? place : `${place}, version ${versionId}`;
}

/** True when nothing is wrong, or all that was has been mended. */
export const isSound = (end: Summary): boolean =>
  end.damaged === end.mended &&
  end.objects === 0 &&
  end.orphans === end.removed &&
  end.references === end.recounted &&
  !end.cut;

/** What came of a check, in a line or two. */
export function summaryText(end: Summary): string {
  const checked = `Checked ${end.blobs} blobs, ${bytesText(end.bytes)}`;
  const wrong = [
    counted(end.damaged, "damaged blob", end.mended, "mended"),
    counted(end.objects, "damaged object", 0, ""),
    counted(end.orphans, "file that nothing names", end.removed, "removed", "files that nothing names"),
    counted(end.references, "wrong count of references", end.recounted, "mended", "wrong counts of references"),
  ].filter((text) => text !== "");
  const lines = [`${checked}: ${wrong.length === 0 ? "all is well" : wrong.join(", ")}`];
  if (end.cut) lines.push("There is more than one check names: mend what it named, and check again");
  if (end.objects > 0) lines.push("Put damaged objects again, restore them from a backup, or delete them");
  else if (!isSound(end)) lines.push("Mend it with: sluice store check --repair");
  return lines.join("\n");
}

function counted(count: number, one: string, done: number, verb: string, many = `${one}s`): string {
  if (count === 0) return "";
  return `${count} ${count === 1 ? one : many}${done === 0 ? "" : ` (${done} ${verb})`}`;
}
