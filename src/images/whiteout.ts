import { execFileSync } from "node:child_process";
import { linkSync, type Stats } from "node:fs";
import { SluiceError } from "../core/errors.ts";
import { type BytePath, bytePath, onDisk } from "./member-name.ts";

/** Puts whiteouts where they are asked for. A whiteout is the character device 0:0: overlayfs shows nothing where one lies, and every user may make
 *  one (Linux 5.8). */
export interface WhiteoutMaker {
  /** @throws errors of the file system, EEXIST among them */
  put(path: BytePath): void;
}

/** Node cannot make devices: mknod(1) makes one, and the others are further names of it, a new one whenever it has as many as the file system allows.
 *  @param folder outside of the layer's tree, on its file system
 *  @see https://docs.kernel.org/filesystems/overlayfs.html, "Whiteouts and opaque directories" */
export function linkedWhiteouts(folder: string): WhiteoutMaker {
  let made = 0;
  const newest = (): string => `${folder}/whiteout-${made}`;
  const make = (): void => {
    made += 1;
    makeWhiteout(newest());
  };
  return {
    put(path) {
      if (made === 0) make();
      try {
        linkSync(onDisk(bytePath(newest())), onDisk(path));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EMLINK")) throw error;
        make();
        linkSync(onDisk(bytePath(newest())), onDisk(path));
      }
    },
  };
}

export const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

function makeWhiteout(path: string): void {
  try {
    execFileSync("mknod", [path, "c", "0", "0"], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    const noRoom = said.includes("No space left");
    throw new SluiceError(
      noRoom ? "DISK_FULL" : "IMAGE_UNSUPPORTED",
      noRoom
        ? "Cannot unpack the layer: the file system is full (remove images, or give it more room)"
        : `Cannot unpack the layer: this machine does not let a whiteout be made: ${said || String(error)} (Linux 5.8 and mknod are needed)`,
      { cause: error },
    );
  }
}
