import { expect, test } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { SYSTEM_PRINCIPAL } from "../core/principal.ts";
import type { Service } from "../core/service.ts";
import { serviceSpec } from "../dispatch/testing/queue-state.ts";
import { fakeDigest, fakeImages } from "../images/testing/fake-images.ts";
import { pinImages } from "./pin-images.ts";

const SIGNAL = new AbortController().signal;
const spec = (image: string): Service => serviceSpec("tool", {}, { image });

test("few are asked for at once, and each image once", async () => {
  let [running, most, asked] = [0, 0, 0];
  const images = {
    ...fakeImages(),
    async pin(reference: string) {
      [running, asked] = [running + 1, asked + 1];
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return { reference, digest: fakeDigest(reference) };
    },
  };
  const specs = Array.from({ length: 100 }, (_, at) => spec(at === 0 ? "host" : `lab/known/${at % 50}:1`));
  const pinned = await pinImages(images, SYSTEM_PRINCIPAL, specs, SIGNAL);
  expect(pinned[0]?.imageDigest).toBeNull();
  expect(pinned.slice(1).map(({ image, imageDigest }) => imageDigest === fakeDigest(image))).not.toContain(false);
  expect([most, asked]).toEqual([8, 50]);
});

test("where one cannot be had the others are given up", async () => {
  let asked = 0;
  const left: unknown[] = [];
  const images = {
    ...fakeImages(),
    async pin(reference: string, _asker: unknown, signal: AbortSignal) {
      asked += 1;
      if (reference.endsWith("/3:1")) throw new SluiceError("IMAGE_UNKNOWN", "none");
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      left.push(reference);
      return { reference, digest: "" };
    },
  };
  const specs = Array.from({ length: 100 }, (_, at) => spec(`lab/known/${at}:1`));
  await expect(pinImages(images, SYSTEM_PRINCIPAL, specs, SIGNAL)).rejects.toMatchObject({ code: "IMAGE_UNKNOWN" });
  expect(asked).toBeLessThan(10);
  expect(left).toEqual([]);
});
