import { type FakeSource, fakeSource, layerOf } from "../../testing/fake-source.ts";
import { file, folder } from "../../testing/make-tar.ts";
import type { ImageStoreOptions } from "../image-store.ts";

export const threeLayers = (): FakeSource =>
  fakeSource([
    layerOf(folder("etc"), file("etc/a", "1"), file("etc/b", "2")),
    layerOf(file("etc/.wh.a"), file("usr/c", "3")),
    layerOf(file("usr/d", "4")),
  ]);

/** As a program: opens the store whose options are the argument, without what JSON cannot say, and pulls one image of three layers into it. */
const [, program, options] = process.argv;
if (program === import.meta.filename && options !== undefined) {
  const { openImageStore } = await import("../image-store.ts");
  const { systemClock } = await import("../../../lib/clock.ts");
  const { silentLog } = await import("../../../lib/log.ts");
  const given = JSON.parse(options) as ImageStoreOptions;
  const store = await openImageStore({ ...given, pinned: async () => new Set(), clock: systemClock, log: silentLog });
  await store.pull(threeLayers(), { reference: "test", signal: new AbortController().signal });
  await store.close();
}
