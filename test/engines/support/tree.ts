import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Shell that lists all that is below the folders `$@`: kinds, modes, sizes, times, links and hashes, for `treeLines`. Programs of Debian or busybox. */
export const LIST_TREE = [
  'find "$@" -xdev -exec stat -c "%A|%s|%Y|%N" {} +',
  'find "$@" -xdev -type f -exec sha256sum {} +',
  "",
].join("\n");

/** What two listings must have in common. The owner's rights count: others' are the sandbox's affair, as are marks like setuid.
 *  Folders have sizes and times of the file system below. */
export function treeLines(listing: string): string[] {
  return listing
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [mode = "", size, time, name] = line.split("|");
      if (name === undefined) return line;
      const kind = mode.slice(0, 4).replace("s", "x").replace("S", "-");
      return mode.startsWith("-") ? `${kind} ${size} ${time} ${name}` : `${kind} ${name}`;
    })
    .toSorted();
}

/** Gives a layout's only image a tag, by which umoci speaks of it. */
export function tagOnlyImage(layout: string, tag: string): void {
  const file = join(layout, "index.json");
  const index: { manifests: object[] } = JSON.parse(readFileSync(file, "utf8"));
  const annotations = { "org.opencontainers.image.ref.name": tag };
  writeFileSync(file, JSON.stringify({ ...index, manifests: [{ ...index.manifests[0], annotations }] }));
}

/** @param layout `FOLDER:TAG` @param bundle a folder that does not exist @returns where the image's files are, in it */
export function unpackByUmoci(layout: string, bundle: string): string {
  umoci("unpack", "--image", layout, bundle);
  return join(bundle, "rootfs");
}

export function umoci(...args: readonly string[]): void {
  execFileSync("umoci", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** @param shell `["busybox", "sh"]` where the image has busybox's programs, else `["sh"]` */
export function listHere(root: string, folders: readonly string[], shell: readonly [string, ...string[]]): string {
  const [program, ...before] = shell;
  return execFileSync(program, [...before, "-c", LIST_TREE, "sh", ...folders], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
}
