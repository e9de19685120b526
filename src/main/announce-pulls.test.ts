import { beforeEach, expect, test } from "vitest";
import type { ImageChange } from "../core/change.ts";
import type { Images, PullProgress } from "../images/images.ts";
import { fakeDigest, fakeImages } from "../images/testing/fake-images.ts";
import { silentLog } from "../lib/log.ts";
import { announcePulls } from "./announce-pulls.ts";

const REFERENCE = "lab/known/tool:1";
const IMAGE = { reference: REFERENCE, digest: fakeDigest(REFERENCE) };
const ASKER = { owner: "ada", isAdmin: false, pullSecrets: [] };
const { signal } = new AbortController();

let now = 0;
let noted: ImageChange[] = [];
beforeEach(() => {
  now = 1_000_000;
  noted = [];
});

const announced = (images: Images): Images =>
  announcePulls(images, {
    state: { noteImage: async (change) => void noted.push(change) },
    clock: { now: () => now } as never,
    log: silentLog,
  });

/** A pull whose progress is what the test says. */
function pulling(steps: readonly number[]): Images {
  return {
    ...fakeImages(),
    async hold(image, asker, options) {
      for (const [index, waitMs] of steps.entries()) {
        now += waitMs;
        options.onProgress?.({ layersDone: index, layers: steps.length, bytesDone: index * 10, bytes: 100 });
      }
      return await fakeImages().hold(image, asker, { signal });
    },
  };
}

test("the beginning, a word now and then, and the end", async () => {
  const seen: PullProgress[] = [];
  const images = announced(pulling([0, 500, 500, 1500, 100]));
  await images.hold(IMAGE, ASKER, { signal, onProgress: (progress) => seen.push(progress) });
  expect(noted.map(({ kind, sequencer, data }) => [kind, sequencer, data.bytes_done])).toEqual([
    ["image.pulling", 1, 0],
    ["image.pulling", 2, 30],
    ["image.pulled", 3, 40],
  ]);
  expect(noted[0]).toMatchObject({ owner: "ada", key: REFERENCE, data: { digest: IMAGE.digest, layers: 5 } });
  expect(seen).toHaveLength(5);
});

test("an image that is here is no news", async () => {
  await announced(pulling([])).hold(IMAGE, ASKER, { signal });
  expect(noted).toEqual([]);
});

test("a failure says why", async () => {
  const reference = "lab/known/broken:1";
  const failing = announced(fakeImages()).hold({ reference, digest: "sha256:0" }, ASKER, { signal });
  await expect(failing).rejects.toMatchObject({ code: "IMAGE_INVALID" });
  expect(noted).toMatchObject([{ kind: "image.failed", data: { code: "IMAGE_INVALID" } }]);
});

test("two that wait for one pull are told of once", async () => {
  const images = announced(pulling([0, 10]));
  await Promise.all([images.hold(IMAGE, ASKER, { signal }), images.hold(IMAGE, ASKER, { signal })]);
  expect(noted.map(({ kind }) => kind)).toEqual(["image.pulling", "image.pulled"]);
});

test("who leaves is no failure: the pull goes on for others", async () => {
  const gone = new AbortController();
  const images = announced({
    ...pulling([0]),
    async hold(_image, _asker, { onProgress }) {
      onProgress?.({ layersDone: 0, layers: 1, bytesDone: 0, bytes: 100 });
      gone.abort(new Error("left"));
      throw gone.signal.reason;
    },
  });
  await expect(images.hold(IMAGE, ASKER, { signal: gone.signal })).rejects.toThrow("left");
  expect(noted.map(({ kind }) => kind)).toEqual(["image.pulling"]);
});
