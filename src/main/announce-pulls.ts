import type { ImageChange } from "../core/change.ts";
import { isSluiceError } from "../core/errors.ts";
import type { HeldImage } from "../images/image.ts";
import type { ImageAsker, Images, PinnedImage, PullOptions, PullProgress } from "../images/images.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../state/state.ts";

export interface AnnounceDeps {
  readonly state: Pick<State, "noteImage">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two words on one pull. */
const TOLD_EVERY_MS = 2_000;

/** The same images, whose pulls are in the change log: when one begins, how it goes on, how it ends. Several that wait for one pull are told of once. */
export function announcePulls(images: Images, deps: AnnounceDeps): Images {
  const told = new Set<string>();

  async function hold(image: PinnedImage, asker: ImageAsker, options: PullOptions): Promise<HeldImage> {
    if (told.has(image.digest)) return await images.hold(image, asker, options);
    told.add(image.digest);
    const news = new PullNews(image, asker.owner, deps);
    const onProgress = (progress: PullProgress): void => {
      news.progress(progress);
      options.onProgress?.(progress);
    };
    try {
      const held = await images.hold(image, asker, { ...options, onProgress });
      news.end(null);
      return held;
    } catch (error) {
      // Who leaves says nothing of the pull: it goes on for others.
      if (!options.signal.aborted) news.end(error);
      throw error;
    } finally {
      told.delete(image.digest);
    }
  }

  return {
    pin: (name, asker, signal) => images.pin(name, asker, signal),
    hold,
    list: () => images.list(),
    remove: (digest) => images.remove(digest),
    prune: (pinned) => images.prune(pinned),
    close: () => images.close(),
  };
}

/** What is said of one pull. An image that is here already makes no progress and no news. */
class PullNews {
  readonly #image: PinnedImage;
  readonly #owner: string;
  readonly #deps: AnnounceDeps;
  #last: PullProgress | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(image: PinnedImage, owner: string, deps: AnnounceDeps) {
    [this.#image, this.#owner, this.#deps] = [image, owner, deps];
  }

  progress(progress: PullProgress): void {
    this.#last = progress;
    const now = this.#deps.clock.now();
    if (now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    this.#tell("image.pulling", {});
  }

  /** @param error null where it is here */
  end(error: unknown): void {
    if (error === null) {
      if (this.#last !== null) this.#tell("image.pulled", {});
      return;
    }
    const code = isSluiceError(error) ? error.code : "INTERNAL";
    const message = isSluiceError(error) ? error.message : "Cannot pull the image";
    this.#tell("image.failed", { code, message });
  }

  #tell(kind: ImageChange["kind"], more: Readonly<Record<string, unknown>>): void {
    const { state, clock, log } = this.#deps;
    this.#count += 1;
    const { reference: key, digest } = this.#image;
    const { layersDone = 0, layers = 0, bytesDone = 0, bytes = 0 } = this.#last ?? {};
    const data = { digest, layers, layers_done: layersDone, bytes, bytes_done: bytesDone, ...more };
    state
      .noteImage({ kind, owner: this.#owner, key, sequencer: this.#count, data }, clock.now())
      .catch((error: unknown) => log.warn("cannot tell of an image's pull", { error }));
  }
}
