import { isAdmin, type Principal } from "../core/principal.ts";
import type { Service } from "../core/service.ts";
import type { ImageAsker, Images } from "../images/images.ts";
import { Semaphore } from "../lib/semaphore.ts";
import type { State } from "../state/state.ts";

/** Whose rights a registry is asked with when somebody calls. */
export const askerOf = (by: Principal, pullSecrets: readonly string[]): ImageAsker => ({
  owner: by.subject,
  isAdmin: isAdmin(by),
  pullSecrets,
});

/** Manifests that one call asks for at once: each may have megabytes. */
const PINS_AT_ONCE = 8;
/** Images that are pulled ahead at once, for all calls together. */
const prefetching = new Semaphore(4);

/** Asks what the image of each service stands for now, so that a revision runs the same bytes for as long as it lives. An image of several services is asked
 *  for once; where one cannot be had, the others are given up.
 *  @throws SluiceError as `Images.pin` */
export async function pinImages(
  images: Images,
  by: Principal,
  specs: readonly Service[],
  signal: AbortSignal,
): Promise<Service[]> {
  const atOnce = new Semaphore(PINS_AT_ONCE);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const asked = new Map<string, Promise<string>>();
  const pin = ({ image, imagePullSecrets }: Service): Promise<string> =>
    atOnce.run(async () => {
      try {
        either.throwIfAborted();
        return (await images.pin(image, askerOf(by, imagePullSecrets), either)).digest;
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    });
  return await Promise.all(
    specs.map(async (spec) => {
      if (spec.image === "host") return spec;
      const key = JSON.stringify([spec.image, spec.imagePullSecrets]);
      const imageDigest = asked.get(key) ?? pin(spec);
      asked.set(key, imageDigest);
      return { ...spec, imageDigest: await imageDigest };
    }),
  );
}

/** Pulls what services ask for ahead of their first job, in the background: a pull that fails is tried again with that job. */
export function prefetchImages(
  images: Images,
  by: Principal,
  specs: readonly Service[],
  failed: (spec: Service, error: unknown) => void,
): void {
  for (const spec of specs) {
    if (!spec.imagePrefetch || spec.imageDigest === null) continue;
    const image = { reference: spec.image, digest: spec.imageDigest };
    const { signal } = new AbortController();
    prefetching
      .run(async () => (await images.hold(image, askerOf(by, spec.imagePullSecrets), { signal })).release())
      .catch((error: unknown) => failed(spec, error));
  }
}

/** The digests that current services are pinned to. */
export async function pinnedDigests(state: Pick<State, "services">): Promise<Set<string>> {
  const records = await state.services(null);
  return new Set(records.flatMap(({ revision }) => revision.spec.imageDigest ?? []));
}
