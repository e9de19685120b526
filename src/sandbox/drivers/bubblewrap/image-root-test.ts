import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { enforced, missing } from "../../guards.ts";
import type { Guard, SandboxMount, SandboxRoot } from "../../sandbox.ts";
import type { DoctorOptions } from "./doctor.ts";
import { diagnose } from "./failure.ts";
import { runTrial } from "./trial.ts";

/** Whether this machine can give an image as a writable root: tried with one of this machine's own /usr. */
export async function testImageRoot({ create, folder }: DoctorOptions): Promise<Guard> {
  const layers = `${folder}/layers`;
  try {
    const { result, output, error } = await runTrial(create, folder, "echo changed >/changed", machineImage(layers));
    if (result?.exitCode === 0) return enforced("image-root");
    const { why, mend } = diagnose(output === "" ? error : output);
    return missing("image-root", `An image cannot be a root here: ${why}`, mend);
  } finally {
    rmSync(layers, { recursive: true, force: true });
  }
}

/** An image of this machine's own programs: a layer made in `layers`, with links where the machine has them; what it has as folders is mounted. */
export function machineImage(layers: string): { readonly root: SandboxRoot; readonly mounts: readonly SandboxMount[] } {
  const layer = `${layers}/machine`;
  rmSync(layers, { recursive: true, force: true });
  mkdirSync(layer, { recursive: true, mode: 0o755 });
  const mounts = showPrograms(layer);
  return { root: { kind: "image", digest: "", reference: "this machine", layers: [layer], user: "" }, mounts };
}

function showPrograms(layer: string): SandboxMount[] {
  const names = ["usr", ...readdirSync("/").filter((name) => name === "bin" || name.startsWith("lib"))];
  return names.flatMap((name) => {
    const stats = lstatSync(`/${name}`);
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), `${layer}/${name}`);
    return stats.isDirectory()
      ? [{ kind: "folder", source: `/${name}`, target: `/${name}`, readOnly: true } as const]
      : [];
  });
}
