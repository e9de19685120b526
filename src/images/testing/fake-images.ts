import { SluiceError } from "../../core/errors.ts";
import type { HeldImage } from "../image.ts";
import type { Images, StoredImage } from "../images.ts";

/** Images in memory: every name of a repository `known/…` is there. */
export interface FakeImages extends Images {
  readonly stored: Map<string, StoredImage>;
  /** Names that were asked for, with whose rights. */
  readonly asked: string[];
  put(digest: string, reference: string): void;
}

const NOW = Date.UTC(2026, 0, 2);

/** `sha256:` and the same digits for the same name. */
export function fakeDigest(reference: string): string {
  return `sha256:${Buffer.from(reference).toString("hex").padEnd(64, "0").slice(0, 64)}`;
}

export function fakeImages(): FakeImages {
  const stored = new Map<string, StoredImage>();
  const asked: string[] = [];
  const held = new Map<string, number>();
  const put = (digest: string, reference: string): void => {
    stored.set(digest, {
      digest,
      references: [reference],
      sizeBytes: 100,
      ownBytes: 60,
      pulledAt: NOW,
      usedAt: NOW,
      isHeld: false,
    });
  };
  const release = (digest: string): void => void held.set(digest, (held.get(digest) ?? 1) - 1);
  return {
    stored,
    asked,
    put,
    async pin(image, { owner, pullSecrets }) {
      asked.push([owner, image, ...pullSecrets].join(" "));
      if (!image.includes("known/")) throw new SluiceError("IMAGE_UNKNOWN", `Cannot find the image "${image}"`);
      return { reference: image, digest: fakeDigest(image) };
    },
    async hold({ reference, digest }, _asker, { onProgress }): Promise<HeldImage> {
      if (reference.includes("broken")) throw new SluiceError("IMAGE_INVALID", `Cannot unpack "${reference}"`);
      onProgress?.({ layersDone: 1, layers: 2, bytesDone: 10, bytes: 20 });
      put(digest, reference);
      held.set(digest, (held.get(digest) ?? 0) + 1);
      const config = {
        architecture: "amd64",
        os: "linux",
        env: {},
        workingDirectory: "/",
        user: "",
        entrypoint: [],
        command: [],
        diffIds: [],
      };
      return { digest, config, layers: [], sizeBytes: 100, release: () => release(digest) };
    },
    list: () => [...stored.values()].map((image) => ({ ...image, isHeld: (held.get(image.digest) ?? 0) > 0 })),
    async remove(digest) {
      const image = stored.get(digest);
      if (image === undefined)
        throw new SluiceError("IMAGE_UNKNOWN", `Cannot remove the image ${digest}: it is not here`);
      if ((held.get(digest) ?? 0) > 0) throw new SluiceError("IMAGE_IN_USE", `Cannot remove the image ${digest}`);
      stored.delete(digest);
      return image.ownBytes;
    },
    async prune(pinned) {
      let freed = 0;
      for (const { digest, ownBytes } of [...stored.values()]) {
        if (pinned.has(digest)) continue;
        stored.delete(digest);
        freed += ownBytes;
      }
      return freed;
    },
    close: async () => {},
  };
}
