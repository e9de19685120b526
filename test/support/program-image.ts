import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { sha256 } from "../../src/images/testing/fake-registry.ts";
import type { FakeLayer } from "../../src/images/testing/fake-source.ts";

/** A layer with programs of this machine and the libraries that they load, and files besides: an image that runs without any other machine. */
export function programLayer(programs: readonly string[], files: Readonly<Record<string, string>> = {}): FakeLayer {
  const root = mkdtempSync(join(tmpdir(), "sluice-image-"));
  try {
    for (const program of programs) {
      const libraries = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/lib[^ )]*/g) ?? [];
      for (const file of [program, ...libraries]) {
        mkdirSync(dirname(root + file), { recursive: true });
        copyFileSync(file, root + file);
      }
    }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const tar = execFileSync(
      "tar",
      ["-C", root, "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", "-", "."],
      {
        maxBuffer: 2 ** 28,
      },
    );
    return { bytes: gzipSync(tar, { level: 1 }), diffId: sha256(tar) };
  } finally {
    rmSync(root, { recursive: true });
  }
}
