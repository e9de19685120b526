import { createWriteStream, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Pack } from "tar-stream";
import { SluiceError } from "../../../core/errors.ts";
import type { SandboxMount } from "../../sandbox.ts";
import type { FolderSize, FolderUser } from "../../work-folder.ts";
import { addEntry, addFile, makeArchive, readMembers } from "./archives.ts";

/** For an engine that does not see this machine's folders (it is in a virtual machine, or in another container): what would be mounted is copied in before the
 *  start, and what is writable copied back after the end. */

const FOLDER_MODE = 0o755;
const READ_ONLY_FILE = 0o444;
const FILE_MODE = 0o600;

/** Everything that mounts show, by its path inside. @param user whom it belongs to */
export function packMounts(mounts: readonly SandboxMount[], user: FolderUser): Readable {
  return makeArchive(async (archive) => {
    // Nested ones last: they hide what is below.
    for (const mount of mounts.toSorted((a, b) => a.target.length - b.target.length)) {
      await parents(archive, mount.target);
      await packTree(archive, mount.source, mount.target, { user, readOnly: mount.readOnly });
    }
  });
}

async function parents(archive: Pack, target: string): Promise<void> {
  const names = target.split("/").filter((name) => name !== "");
  for (let depth = 1; depth < names.length; depth++) {
    await addEntry(archive, { name: `${names.slice(0, depth).join("/")}/`, type: "directory", mode: FOLDER_MODE });
  }
}

interface PackOptions {
  readonly user: FolderUser;
  readonly readOnly: boolean;
}

async function packTree(archive: Pack, source: string, target: string, options: PackOptions): Promise<void> {
  const stats = lstatSync(source);
  const headers = { name: target.slice(1), mtime: stats.mtime, uid: options.user.uid, gid: options.user.gid };
  if (stats.isDirectory()) {
    await addEntry(archive, { ...headers, name: `${headers.name}/`, type: "directory", mode: FOLDER_MODE });
    for (const name of readdirSync(source)) await packTree(archive, `${source}/${name}`, `${target}/${name}`, options);
    return;
  }
  if (!stats.isFile()) return;
  const mode = options.readOnly ? READ_ONLY_FILE : (stats.mode & 0o777) | FILE_MODE;
  await addFile(archive, { ...headers, size: stats.size, mode }, source);
}

/** Puts what an archive holds in the place of what a folder holds. Only files and folders are taken: links and devices are no outputs. The archive is made of
 *  what a script left, so names are not trusted.
 *  @param limits beyond them nothing more is read @param leave paths in the folder that are not taken: what was mounted there @returns what came, over the limits where it was more */
export async function unpackFolder(
  archive: Readable,
  folder: string,
  limits: FolderSize,
  leave: ReadonlySet<string> = new Set(),
): Promise<FolderSize> {
  for (const name of readdirSync(folder)) rmSync(`${folder}/${name}`, { recursive: true, force: true });
  let [bytes, files] = [0, 0];
  for await (const { header, body, skip } of readMembers(archive)) {
    const { type, name, size } = header;
    const inside = insideName(name);
    if (leave.has(inside)) {
      skip();
      continue;
    }
    files += 1;
    bytes += type === "file" ? size : 0;
    if (bytes > limits.bytes || files > limits.files) break;
    if (type === "directory" && inside !== "") mkdirSync(`${folder}/${inside}`, { recursive: true, mode: 0o700 });
    if (type === "file" && inside !== "") {
      mkdirSync(dirname(`${folder}/${inside}`), { recursive: true, mode: 0o700 });
      const file = createWriteStream(`${folder}/${inside}`, { flags: "wx", mode: FILE_MODE });
      await pipeline(Readable.from(body), file);
    } else skip();
  }
  return { bytes, files };
}

/** Without the first name, which is the folder's own. @throws SluiceError INTERNAL for one that leads elsewhere */
function insideName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) {
    throw new SluiceError("INTERNAL", `Cannot take files out of a container: the engine names ${JSON.stringify(name)}`);
  }
  return parts.slice(1).join("/");
}
