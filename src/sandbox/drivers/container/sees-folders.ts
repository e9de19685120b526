import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { isSluiceError } from "../../../core/errors.ts";
import { addEntry, makeArchive, readMembers } from "./archives.ts";
import { SERVER_LABEL } from "./container-options.ts";
import type { Engine } from "./engine.ts";

/** Whether the engine mounts this machine's folders: an engine in a virtual machine or in another container has others under the same paths. A file of
 *  ours is looked for through a mount of a container that never starts.
 *  @param parent a folder on the file system of what will be mounted */
export async function seesFolders(engine: Engine, parent: string, serverName: string): Promise<boolean> {
  const folder = mkdtempSync(`${parent}/engine-probe-`);
  const token = randomUUID();
  let image: string | null = null;
  let container: string | null = null;
  try {
    writeFileSync(`${folder}/token`, token);
    const root = makeArchive((archive) => addEntry(archive, { name: "probe/", type: "directory", mode: 0o755 }));
    image = await engine.importRoot(root, "probe");
    container = await engine.create({
      Image: image,
      Cmd: ["/probe/none"],
      Labels: { [SERVER_LABEL]: serverName },
      HostConfig: {
        NetworkMode: "none",
        Mounts: [{ Type: "bind", Source: folder, Target: "/probe", ReadOnly: true }],
      },
    });
    return (await firstFile(await engine.get(container, "/probe/token"))) === token;
  } catch (error) {
    // Of the engine's refusals, one of the mount is an answer.
    if (image !== null && isSluiceError(error, "SANDBOX_UNAVAILABLE")) return false;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    if (container !== null) await engine.remove(container);
    if (image !== null) await engine.removeImage(image);
  }
}

async function firstFile(archive: Readable): Promise<string> {
  let text = "";
  for await (const { body } of readMembers(archive))
    for await (const piece of body) text += Buffer.from(piece).toString();
  return text;
}
