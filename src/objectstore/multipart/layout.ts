import type { Part } from "../../state/object-calls.ts";

/** A part at its place in the whole object. */
export interface PlacedPart {
  readonly part: Part;
  readonly start: number;
}

/** The chosen parts one behind the other. */
export function placeParts(chosen: readonly Part[]): {
  readonly placed: readonly PlacedPart[];
  readonly sizeBytes: number;
} {
  let start = 0;
  const placed = chosen.map((part) => {
    const here = { part, start };
    start += part.sizeBytes;
    return here;
  });
  return { placed, sizeBytes: start };
}

/** True when the assembly file can become the object: every part that lies in it is chosen and stands where it will be in the object.
 *  What lies between them is then free to take the parts that have blobs of their own. */
export function fitsAssembly(partBytes: number, all: readonly Part[], placed: readonly PlacedPart[]): boolean {
  const inFile = all.filter((part) => part.blob === null).length;
  const there = placed.filter(({ part }) => part.blob === null);
  return (
    there.length === inFile && inFile > 0 && there.every(({ part, start }) => start === (part.number - 1) * partBytes)
  );
}
