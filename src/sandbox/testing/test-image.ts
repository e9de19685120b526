import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { copyProgram } from "../copy-program.ts";
import type { SandboxRoot } from "../sandbox.ts";

export const IMAGES_UID = 199_999;
const SLOTS_GID = 200_000;
const isRoot = process.geteuid?.() === 0;

/** Two layers, lowest first, with a few programs of this machine, as the store of images would have left them. */
export function makeLayers(parent: string): string[] {
  const [programs, more] = [`${parent}/aaaa`, `${parent}/bbbb`];
  for (const name of ["sh", "cat", "ls", "id", "rm", "mkdir", "sleep"]) copyProgram(`/bin/${name}`, programs);
  writeIn(programs, "etc/passwd", "root:x:0:0::/root:/bin/sh\nold:x:5:5::/:/bin/sh\n");
  writeIn(programs, "usr/share/base", "base\n");
  writeIn(more, "etc/passwd", "root:x:0:0::/root:/bin/sh\nworker:x:33:44::/:/bin/sh\n");
  writeIn(more, "etc/group", "staff:x:77:\n");
  writeIn(more, "usr/share/more", "more\n");
  giveToImages(parent);
  return [programs, more];
}

export function imageRoot(layers: readonly string[], user = ""): SandboxRoot {
  return {
    kind: "image",
    digest: `sha256:${"0".repeat(64)}`,
    reference: "docker.io/library/test:latest",
    layers,
    user,
  };
}

function writeIn(root: string, path: string, text: string): void {
  mkdirSync(dirname(`${root}/${path}`), { recursive: true });
  writeFileSync(`${root}/${path}`, text);
}

/** To the owner of images, with his rights for the slots' group. */
export function giveToImages(parent: string): void {
  execFileSync("chmod", ["-R", "g=u", parent]);
  if (isRoot) execFileSync("chown", ["-R", `${IMAGES_UID}:${SLOTS_GID}`, parent]);
}
