import { z } from "zod";
import { SluiceError } from "../../core/errors.ts";
import type { Descriptor, ImageManifest, ImageSource } from "../image.ts";
import { digestOf, invalid, MAX_CONFIG_BYTES, MAX_LAYERS, MAX_MANIFEST_BYTES, parseConfig } from "../manifest.ts";
import type { FileSet } from "./file-set.ts";
import { isTag } from "./oci-layout.ts";

const LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar";

const manifest = z
  .array(
    z.object({
      Config: z.string().min(1),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string().min(1)),
    }),
  )
  .min(1)
  .max(1000);
type Entry = z.infer<typeof manifest>[number];

/** An image of an archive that `docker save` wrote. It has no manifest of a registry: its digest is that of its config, Docker's image id. Layers lie
 *  in it uncompressed, so that the config's digests are theirs. @param tag which one, where there are several; null for the only one */
export function dockerArchiveSource(files: FileSet, image: string, tag: string | null): ImageSource {
  let names = new Map<string, string>();
  return {
    key: image,
    async manifest(): Promise<ImageManifest> {
      const { Config, Layers } = chosen(await entriesOf(files, image), tag, image);
      const bytes = await files.read(Config, MAX_CONFIG_BYTES);
      if (Layers.length > MAX_LAYERS)
        throw new SluiceError(
          "IMAGE_UNSUPPORTED",
          `Cannot use the image "${image}": it has ${Layers.length} layers, at most ${MAX_LAYERS} can be mounted`,
        );
      const config = parseConfig(bytes, image, Layers.length);
      const layers = Layers.map((name, at): Descriptor => {
        const sizeBytes = files.size(name);
        if (sizeBytes === null) throw invalid(image, `it has no layer ${JSON.stringify(name)}`);
        return { digest: config.diffIds[at] ?? "", mediaType: LAYER_TYPE, sizeBytes };
      });
      names = new Map(layers.map(({ digest }, at) => [digest, Layers[at] ?? ""]));
      return { digest: digestOf(bytes), config, layers };
    },
    blob({ digest }, offset) {
      const name = names.get(digest);
      if (name === undefined) throw invalid(image, `it has no layer of the digest ${digest}`);
      return files.stream(name, offset);
    },
    close: () => files.close(),
  };
}

async function entriesOf(files: FileSet, image: string): Promise<readonly Entry[]> {
  const text = (await files.read("manifest.json", MAX_MANIFEST_BYTES)).toString("utf8");
  try {
    return manifest.parse(JSON.parse(text));
  } catch (error) {
    throw invalid(image, "its manifest.json is not as docker save writes it", error);
  }
}

function chosen(entries: readonly Entry[], tag: string | null, image: string): Entry {
  const [first] = entries;
  const names = entries.flatMap(({ RepoTags }) => RepoTags ?? []);
  if (tag === null && entries.length === 1 && first !== undefined) return first;
  const found = tag === null ? undefined : entries.find(({ RepoTags }) => RepoTags?.some((name) => isTag(name, tag)));
  if (found !== undefined) return found;
  const why = tag === null ? "Cannot choose an image of" : `Cannot find the tag "${tag}" in`;
  throw new SluiceError(
    "IMAGE_UNKNOWN",
    `${why} "${image}": it holds ${names.slice(0, 10).join(", ") || "images without names"} (write file:PATH:TAG)`,
  );
}
