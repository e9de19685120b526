import { constants, lstatSync } from "node:fs";
import { open } from "node:fs/promises";
import { SluiceError } from "../../core/errors.ts";
import type { FileSet } from "./file-set.ts";
import { readPart, streamPart } from "./read-part.ts";

/** The files of a folder that holds an image. Links are not followed: they would lead to this machine's own files.
 *  @param root absolute */
export function folderFiles(root: string): FileSet {
  const size = (name: string): number | null => {
    const parts = name.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..")) return null;
    for (let depth = 1; depth < parts.length; depth++) {
      if (lstatSync(`${root}/${parts.slice(0, depth).join("/")}`, { throwIfNoEntry: false })?.isDirectory() !== true)
        return null;
    }
    const stats = lstatSync(`${root}/${name}`, { throwIfNoEntry: false });
    return stats?.isFile() === true ? stats.size : null;
  };
  const sized = (name: string): number => {
    const bytes = size(name);
    if (bytes === null)
      throw new SluiceError("IMAGE_INVALID", `Cannot read the image's folder: it has no file ${JSON.stringify(name)}`);
    return bytes;
  };
  const opened = (name: string) =>
    open(`${root}/${name}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return {
    has: (name) => size(name) !== null,
    size,
    async read(name, maxBytes) {
      const bytes = sized(name);
      if (bytes > maxBytes)
        throw new SluiceError(
          "IMAGE_INVALID",
          `Cannot read the image's folder: ${JSON.stringify(name)} has more than ${maxBytes} bytes`,
        );
      const file = await opened(name);
      try {
        return await readPart(file, 0, bytes);
      } finally {
        await file.close();
      }
    },
    async *stream(name, offset) {
      const bytes = sized(name);
      const file = await opened(name);
      try {
        yield* streamPart(file, offset, Math.max(0, bytes - offset));
      } finally {
        await file.close();
      }
    },
    close: async () => {},
  };
}
