import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { isSluiceError } from "../../core/errors.ts";
import type { HeldImage } from "../../images/image.ts";
import type { ImageAsker, Images, PinnedImage, PullProgress } from "../../images/images.ts";
import { json } from "../answers.ts";
import { askerOf, pinnedDigests } from "../pin-images.ts";
import { type Route, route } from "../route.ts";
import {
  freedAnswer,
  imageParams,
  type PullEvent,
  pullBody,
  type StoredImage,
  storedImage,
} from "../schemas/images.ts";
import { anyThing } from "../subjects.ts";

const PATH = "/system/images";
const TOLD_EVERY_MS = 200;
const ADMIN = {
  tag: "images",
  errors: "problem",
  access: { kind: "action", action: "system.admin" },
  subject: anyThing("system"),
} as const;

export const imageRoutes: readonly Route[] = [
  route({
    ...ADMIN,
    id: "listImages",
    method: "GET",
    path: PATH,
    summary: "The images on this machine, the last used first",
    answers: { 200: { description: "The images", schema: z.array(storedImage) } },
    handle: async ({ images }) => json(imageViews(images)),
  }),
  route({
    ...ADMIN,
    id: "pullImage",
    method: "POST",
    path: PATH,
    summary: "Pull an image; progress as server-sent events, the last is end or error",
    body: pullBody,
    startsWork: true,
    answers: {
      200: {
        description: "Events until the image is here; a client that leaves gives it up",
        contentType: "text/event-stream",
      },
    },
    async handle({ images }, { by, body, signal }) {
      const asker = askerOf(by, body.pull_secrets);
      const image = await images.pin(body.image, asker, signal);
      const events = pullEvents(images, image, asker, signal);
      return { status: 200, stream: frames(events), contentType: "text/event-stream" };
    },
  }),
  route({
    ...ADMIN,
    id: "pruneImages",
    method: "POST",
    path: `${PATH}/prune`,
    summary: "Remove every image that no job runs on and no service is pinned to",
    answers: { 200: { description: "Removed", schema: freedAnswer } },
    handle: async ({ images, state }) => json({ freed: await images.prune(await pinnedDigests(state)) }),
  }),
  route({
    ...ADMIN,
    id: "removeImage",
    method: "DELETE",
    path: `${PATH}/:digest`,
    summary: "Remove an image; a service that is pinned to it pulls it again",
    params: imageParams,
    answers: { 200: { description: "Removed", schema: freedAnswer } },
    handle: async ({ images }, { params }) => json({ freed: await images.remove(params.digest) }),
  }),
];

function imageViews(images: Images): StoredImage[] {
  return images
    .list()
    .toSorted((a, b) => b.usedAt - a.usedAt)
    .map((image) => ({
      digest: image.digest,
      references: [...image.references],
      size: image.sizeBytes,
      own_size: image.ownBytes,
      pulled_at: new Date(image.pulledAt).toISOString(),
      used_at: new Date(image.usedAt).toISOString(),
      in_use: image.isHeld,
    }));
}

/** Progress now and then, and how it ended. */
async function* pullEvents(
  images: Images,
  image: PinnedImage,
  asker: ImageAsker,
  signal: AbortSignal,
): AsyncGenerator<PullEvent> {
  const seen: { progress: PullProgress | null } = { progress: null };
  const onProgress = (progress: PullProgress): void => {
    seen.progress = progress;
  };
  const pulling = images.hold(image, asker, { signal, onProgress }).then(endOf(image), errorEnd);
  for (;;) {
    const end = await Promise.race([pulling, sleep(TOLD_EVERY_MS, null)]);
    if (seen.progress !== null) yield { kind: "progress", ...seen.progress };
    seen.progress = null;
    if (end === null) continue;
    yield end;
    return;
  }
}

const endOf =
  (image: PinnedImage) =>
  (held: HeldImage): PullEvent => {
    held.release();
    return { kind: "end", ...image };
  };

/** @throws what is no error of ours: a defect */
function errorEnd(error: unknown): PullEvent {
  if (!isSluiceError(error)) throw error;
  return { kind: "error", code: error.code, message: error.message };
}

async function* frames(events: AsyncIterable<PullEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
