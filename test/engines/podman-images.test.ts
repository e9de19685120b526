import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { put } from "./support/images.ts";
import { type Registry, startRegistry } from "./support/registry.ts";
import { listHere, treeLines } from "./support/tree.ts";
import { treeInJob } from "./support/tree-in-job.ts";

/** Podman's storage drivers make layers each in its own way: what a container's overlay has over its image (`overlay`, with opaque folders), and what
 *  a comparison of two folders finds (`vfs`, with a mark for each name). */

let folder: string;
let registry: Registry;
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-podman-"));
  registry = await startRegistry();
  server = await startServer();
  put(folder, "context/Containerfile", CONTAINERFILE);
  for (const name of ["folder/a/b", "folder/c", "to-link/a", "again/old", "other/a", "kept", "gone"])
    put(folder, `context/tree/${name}`, `${name}\n`);
  execFileSync("ln", ["-s", "other", join(folder, "context/tree/link")]);
  mkdirSync(join(folder, "context/bin"));
  copyFileSync("/usr/bin/busybox", join(folder, "context/bin/busybox"));
  for (const name of ["sh", "rm", "ln", "mkdir", "find", "stat", "sha256sum"])
    execFileSync("ln", ["-s", "busybox", join(folder, "context/bin", name)]);
});
afterAll(async () => {
  await server?.stop();
  registry?.stop();
  rmSync(folder, { recursive: true });
});

const CONTAINERFILE = `FROM scratch
COPY bin /bin
COPY tree /tree
ENV GREETING=hello
RUN cd /tree && rm -r folder && echo file >folder && rm -r to-link && ln -s other to-link && rm -r again && mkdir again && echo new >again/new && rm link gone && mkdir link && echo x >link/x
RUN cd /tree && echo more >>kept && rm folder && mkdir folder && echo y >folder/c
`;

describe.skipIf(process.getuid?.() !== 0).each(["overlay", "vfs"])("an image that Podman built on %s", (driver) => {
  const podman = (...args: string[]): string => {
    const [root, run, tmp] = ["", "-run", "-tmp"].map((end) => join(folder, driver + end));
    const storage = ["--root", `${root}`, "--runroot", `${run}`, "--tmpdir", `${tmp}`];
    return execFileSync("podman", [...storage, "--storage-driver", driver, "--log-level", "error", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  };
  const seen = (image: string): Promise<string[]> => treeInJob(server, image, ["tree"]);
  let expected: string[];

  beforeAll(() => {
    // Without a runtime, whose limits differ between machines.
    podman("build", "--isolation", "chroot", "--layers", "--quiet", "--tag", "tool:1", join(folder, "context"));
    expected = treeLines(listHere(podman("image", "mount", "tool:1"), ["tree"], ["busybox", "sh"]));
    podman("image", "umount", "--all");
  });
  afterAll(() => podman("rmi", "--all", "--force"));

  it("is the files that Podman shows, from its registry", async () => {
    const text = expected.join("\n");
    for (const there of [" tree/again/new", " tree/folder/c", "'tree/to-link' -> 'other'", " tree/link/x"])
      expect(text).toContain(there);
    const name = `${registry.host}/${driver}/tool:1`;
    podman("push", "--quiet", "--tls-verify=false", "tool:1", name);
    expect(registry.manifest(`${driver}/tool:1`).layers).toHaveLength(4);
    expect(await seen(name)).toEqual(expected);
  });

  it("is so in every archive that podman save writes, also beside another image", async () => {
    writeFileSync(join(folder, "context/other"), "FROM tool:1\nENV GREETING=other\n");
    podman("build", "--isolation", "chroot", "--quiet", "--tag", "tool:2", "--file", join(folder, "context/other"));
    for (const format of ["docker-archive", "oci-archive", "oci-dir"]) {
      const path = join(folder, `${driver}-${format}`);
      podman("save", "--quiet", "--format", format, "--output", path, "tool:1");
      expect(await seen(`file:${path}`)).toEqual(expected);
    }
    const both = join(folder, `${driver}-both`);
    podman("save", "--quiet", "--multi-image-archive", "--output", both, "tool:1", "tool:2");
    await expect(seen(`file:${both}`)).rejects.toThrow(/IMAGE_UNKNOWN.*tool:1.*tool:2/);
    expect(await seen(`file:${both}:2`)).toEqual(expected);
  });
});
