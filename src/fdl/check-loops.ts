import { SluiceError } from "../core/errors.ts";
import { findLoops } from "../core/loops.ts";
import type { Service } from "../core/service.ts";
import type { SectionName } from "./key-row.ts";
import { KEY_TABLE } from "./key-table.ts";

/** A loop that changes close: its services in order, the one to name, and whether it is refused or only warned of. */
export interface LoopFinding {
  readonly service: string;
  readonly loop: readonly string[];
  readonly refused: boolean;
  readonly message: string;
}

/** Judges the loops that the changed services lie on, among them and the others that stay. A loop is allowed when a service on it says
 *  `allow_loops: true`. It is refused when a changed service on it is written in our dialect; files in the old one, which has no such
 *  word, get a warning, and the guard of 16 hops holds for all. */
export function checkLoops(changed: readonly Service[], others: readonly Service[]): LoopFinding[] {
  const names = new Set(changed.map((spec) => spec.name));
  const all = [...changed, ...others.filter((spec) => !names.has(spec.name))].filter((spec) => !spec.allowLoops);
  const ours = new Map(changed.map((spec) => [spec.name, usesOwnKeys(spec)]));
  return findLoops(all, [...ours.keys()]).map((loop) => {
    const culprit = loop.find((name) => ours.get(name)) ?? loop.find((name) => ours.has(name)) ?? "";
    return { service: culprit, loop, refused: ours.get(culprit) ?? false, message: loopMessage(culprit, loop) };
  });
}

/** Warnings for loops in old files. @throws SluiceError SERVICE_LOOP when a loop is refused; all refused ones are told */
export function refuseLoops(changed: readonly Service[], others: readonly Service[]): string[] {
  const found = checkLoops(changed, others);
  const refused = found.filter((finding) => finding.refused);
  if (refused.length > 0) {
    const sentences = refused.map(({ service, message }) => `Cannot apply "${service}": ${message} (${LOOP_CURE})`);
    throw new SluiceError("SERVICE_LOOP", sentences.join("; "), {
      details: { loops: refused.map(({ loop }) => [...loop]) },
    });
  }
  return found.map(loopWarning);
}

export const LOOP_CURE = "write to another folder, or set allow_loops: true to allow it";

export function loopWarning({ service, message }: LoopFinding): string {
  return `Service "${service}": ${message}; chains of more than 16 jobs are stopped`;
}

function loopMessage(service: string, loop: readonly string[]): string {
  if (loop.length === 1) return "its outputs can feed its own input";
  const at = loop.indexOf(service);
  const round = [...loop.slice(at), ...loop.slice(0, at), service];
  return `its outputs can feed its own input by way of ${round.join(" -> ")}`;
}

/** True when the definition says something that OSCAR has no word for. Without that the file may be older than this server. */
export function usesOwnKeys(spec: Pick<Service, "definition" | "image">): boolean {
  return spec.image === "host" || hasOwnKey(spec.definition, "service");
}

function hasOwnKey(definition: Readonly<Record<string, unknown>>, section: SectionName): boolean {
  return KEY_TABLE[section].some(({ key, type, dialect }) => {
    const value = definition[key];
    if (value === undefined) return false;
    if (dialect === "sluice") return true;
    if (type.is === "section") return isRecord(value) && hasOwnKey(value, type.section);
    return (
      type.is === "sections" &&
      Array.isArray(value) &&
      value.some((one) => isRecord(one) && hasOwnKey(one, type.section))
    );
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
