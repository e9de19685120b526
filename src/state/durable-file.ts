import { closeSync, fsyncSync, openSync } from "node:fs";

/** fsync of a file or a folder by its path: afterwards its bytes, or the names in it, survive a power cut. */
export function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
