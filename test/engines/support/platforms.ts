import { createHash } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Entry {
  readonly digest: string;
}

/** Adds to a layout an index of its image and another's, as one image for two platforms, and makes that its only image.
 *  @param layouts folders of one image each; the first becomes the image for both
 *  @returns the digests of the image for each platform, as given */
export function joinPlatforms(
  layouts: readonly { readonly folder: string; readonly architecture: string }[],
): string[] {
  const [into = ""] = layouts.map(({ folder }) => folder);
  const manifests = layouts.map(({ folder, architecture }) => {
    if (folder !== into) cpSync(join(folder, "blobs"), join(into, "blobs"), { recursive: true });
    const index: { manifests: Entry[] } = JSON.parse(readFileSync(join(folder, "index.json"), "utf8"));
    return { ...index.manifests[0], platform: { os: "linux", architecture } };
  });
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const hex = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(into, "blobs", "sha256", hex), bytes);
  const entry = { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  writeFileSync(join(into, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return manifests.map(({ digest = "" }) => digest);
}
