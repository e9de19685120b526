import { beforeEach, expect, test } from "vitest";
import type { ChangeKind } from "../core/change.ts";
import type { Service } from "../core/service.ts";
import { fakeDigest, fakeImages } from "../images/testing/fake-images.ts";
import { silentLog } from "../lib/log.ts";
import type { ReadySpec } from "../sandbox/sandbox.ts";
import { keepInstances } from "./keep-instances.ts";

const IMAGE = "lab/known/tool:1";

let services: Partial<Service>[];
let tell: (kinds: readonly ChangeKind[]) => void;
let kept: (readonly ReadySpec[])[];
let images: ReturnType<typeof fakeImages>;
beforeEach(() => {
  services = [];
  kept = [];
  images = fakeImages();
});

const service = (name: string, minInstances: number, image = IMAGE): Partial<Service> => ({
  name,
  image,
  imageDigest: image === "host" ? null : fakeDigest(image),
  imagePullSecrets: [],
  network: "outbound",
  minInstances,
});

const keep = () =>
  keepInstances({
    state: {
      services: async () => services.map((spec) => ({ revision: { owner: "ada", service: spec.name, spec } })) as never,
      subscribe: (listener) => {
        tell = (kinds) => listener({ lastSeq: 1, services: [], kinds });
        return () => {};
      },
    },
    sandbox: { keepReady: async (wanted) => void kept.push(wanted) },
    images,
    log: silentLog,
  });

const held = (): number => images.list().filter(({ isHeld }) => isHeld).length;

test("what services ask for is ready from the start, and follows them", async () => {
  services = [service("a", 2), service("b", 1), service("c", 0), service("d", 1, "host")];
  const keeper = keep();
  await expect.poll(() => kept.length).toBe(1);
  expect(kept[0]?.map(({ tenant, count, root }) => [tenant, count, root.kind])).toEqual([
    ['["ada","a"]', 2, "image"],
    ['["ada","b"]', 1, "image"],
    ['["ada","d"]', 1, "host"],
  ]);
  expect(held()).toBe(1);
  services = [service("d", 1, "host")];
  tell(["job.queued"]);
  tell(["service.removed"]);
  await expect.poll(() => kept.length).toBe(2);
  expect(kept[1]).toHaveLength(1);
  expect(held()).toBe(0);
  await keeper.close();
});

test("an image that does not come keeps no other service from being ready", async () => {
  services = [service("a", 1, "lab/known/broken:1"), service("b", 1)];
  const keeper = keep();
  await expect.poll(() => kept.length).toBe(1);
  expect(kept[0]?.map(({ tenant }) => tenant)).toEqual(['["ada","b"]']);
  await keeper.close();
  expect(held()).toBe(0);
});
