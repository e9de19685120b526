import { chmodSync, copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync, utimesSync } from "node:fs";

/** What overlayfs shows of layers, made of hard links: read it, do not write in it.
 *  @param layers lowest first @param into a folder that does not exist */
export function mergeLayers(layers: readonly string[], into: string): void {
  mkdirSync(into);
  for (const layer of layers) mergeFolder(Buffer.from(layer), Buffer.from(into));
}

function mergeFolder(from: Buffer, into: Buffer): void {
  for (const name of readdirSync(from, { encoding: "buffer" })) {
    const [source, target] = [inFolder(from, name), inFolder(into, name)];
    const stats = lstatSync(source);
    if (stats.isDirectory()) {
      if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) {
        rmSync(target, { force: true });
        mkdirSync(target);
      }
      mergeFolder(source, target);
      chmodSync(target, stats.mode);
      utimesSync(target, stats.atime, stats.mtime);
    } else {
      rmSync(target, { recursive: true, force: true });
      if (!stats.isCharacterDevice()) linkOrCopy(source, target);
    }
  }
}

/** A link keeps what is said of the file; on another file system its bytes do. */
function linkOrCopy(source: Buffer, target: Buffer): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    copyFileSync(source, target);
  }
}

const inFolder = (folder: Buffer, name: Buffer): Buffer => Buffer.concat([folder, Buffer.from("/"), name]);
