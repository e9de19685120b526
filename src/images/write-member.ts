import { closeSync, constants, ftruncateSync, futimesSync, openSync, writeSync } from "node:fs";
import { type BytePath, onDisk } from "./member-name.ts";
import type { TarMember } from "./tar/read-tar.ts";

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Makes a file of a member's bytes, with its mode and time; between the pieces of a sparse file are holes.
 *  @param path where nothing is yet @param count told the bytes before they are written; may throw */
export async function writeMember(path: BytePath, member: TarMember, count: (bytes: number) => void): Promise<void> {
  const file = openSync(onDisk(path), CREATE, openMode(member.mode | 0o400));
  try {
    await writeSegments(file, member, count);
    // A map ends in an empty piece where the file ends in a hole.
    const last = member.segments.findLast(({ bytes }) => bytes > 0);
    if (member.sizeBytes !== (last === undefined ? 0 : last.at + last.bytes)) ftruncateSync(file, member.sizeBytes);
    const time = dateOf(member.modifiedAt);
    futimesSync(file, time, time);
  } finally {
    closeSync(file);
  }
}

async function writeSegments(
  file: number,
  { segments, body }: TarMember,
  count: (bytes: number) => void,
): Promise<void> {
  const places = segments.values();
  let place = places.next().value;
  let done = 0;
  for await (const piece of body) {
    count(piece.length);
    for (let at = 0; at < piece.length; ) {
      while (place !== undefined && done === place.bytes) {
        place = places.next().value;
        done = 0;
      }
      if (place === undefined) throw new Error("a body is longer than its map");
      const wanted = Math.min(piece.length - at, place.bytes - done);
      const written = writeSync(file, piece, at, wanted, place.at + done);
      at += written;
      done += written;
    }
  }
}

/** The group may do what the owner may, others too, but write; nobody gets another identity by it. */
export function openMode(mode: number): number {
  const owner = (mode >> 6) & 0o7;
  return (owner << 6) | (owner << 3) | (owner & 0o5);
}

/** Archives may hold times that no date has. */
export function dateOf(ms: number): Date {
  return new Date(Math.min(Math.max(ms, 0), Date.UTC(9999, 11, 31)));
}
