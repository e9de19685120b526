import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LayerStack } from "./testing/layer-stack.ts";
import { file, folder, hardLink, symlinkTo, tarMember } from "./testing/make-tar.ts";
import { referenceTree } from "./testing/reference-unpack.ts";

let stack: LayerStack;
beforeEach(() => {
  stack = new LayerStack();
});
afterEach(() => stack.remove());

/** Few names, so that layers get in each other's way. */
const name = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const inFolder = (path: string, mark: string): string => `${path.split("/").slice(0, -1).join("/")}/${mark}`;
const change = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name, fc.string({ maxLength: 3 })).map(([path, text]) => file(path, text)) },
  { weight: 3, arbitrary: name.map((path) => folder(path)) },
  { weight: 3, arbitrary: name.map((path) => file(inFolder(path, `.wh.${path.split("/").at(-1)}`))) },
  { weight: 2, arbitrary: name.map((path) => file(inFolder(path, ".wh..wh..opq"))) },
  { weight: 2, arbitrary: fc.tuple(name, name).map(([path, target]) => symlinkTo(path, `/${target}`)) },
  { weight: 2, arbitrary: fc.tuple(name, name).map(([path, target]) => hardLink(path, target)) },
  { weight: 1, arbitrary: name.map((path) => tarMember(path, { flag: "3" })) },
);
const images = fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 4 });

it("any layers come to what unpacking them one after another into one folder comes to", {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(images, async (image) => {
      stack.clear();
      const wanted = referenceTree(image);
      let failed = false;
      for (const layer of image) {
        failed = await stack.apply(...layer).then(
          () => false,
          () => true,
        );
        if (failed) break;
      }
      if (wanted === null) expect(failed).toBe(true);
      else expect([failed, contentOf(stack.root)]).toEqual([false, wanted]);
    }),
    { numRuns: 1000 },
  );
});

const canMount =
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["-m", "sh", "-c", "cd /dev/shm && mkdir -p l && mount -t overlay o -o lowerdir=l:/usr /mnt"])
    .status === 0;

it.skipIf(!canMount)("the kernel's own overlay shows the same (skipped where no overlay may be mounted)", async () => {
  const random = fc.sample(images, { numRuns: 25, seed: 7 });
  for (const image of random) {
    stack.clear();
    for (const layer of image) await stack.apply(...layer).catch(() => null);
    const lower = stack.layers.toReversed().map((each) => each.replace(`${stack.base}/`, ""));
    const shown = execFileSync(
      "unshare",
      [
        "-m",
        "sh",
        "-c",
        'cd "$1" && mount -t overlay overlay -o "lowerdir=$2" outside && cd outside && find . -mindepth 1 -printf "%P %y %m %l\\n" | sort',
        "sh",
        stack.base,
        lower.join(":"),
      ],
      { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } },
    );
    const merged = execFileSync(
      "sh",
      ["-c", 'cd "$1" && find . -mindepth 1 -printf "%P %y %m %l\\n" | sort', "sh", stack.root],
      {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C" },
      },
    );
    expect(shown).toBe(merged);
  }
});

/** Path to what is there: `/` for a folder, `-> target` for a link, else the text. */
function contentOf(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const stats = lstatSync(join(root, path));
    if (stats.isDirectory()) found[path] = "/";
    else
      found[path] = stats.isSymbolicLink()
        ? `-> ${readlinkSync(join(root, path))}`
        : readFileSync(join(root, path), "utf8");
  }
  return found;
}
