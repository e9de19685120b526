import { isAdmin, type Principal } from "../core/principal.ts";
import type { Service } from "../core/service.ts";
import type { ImageAsker, Images } from "../images/images.ts";
import type { State } from "../state/state.ts";

/** Whose rights a registry is asked with when somebody calls. */
export const askerOf = (by: Principal, pullSecrets: readonly string[]): ImageAsker => ({
  owner: by.subject,
  isAdmin: isAdmin(by),
  pullSecrets,
});

/** Asks what the image of each service stands for now, so that a revision runs the same bytes for as long as it lives.
 *  @throws SluiceError as `Images.pin` */
export async function pinImages(
  images: Images,
  by: Principal,
  specs: readonly Service[],
  signal: AbortSignal,
): Promise<Service[]> {
  return await Promise.all(
    specs.map(async (spec) => {
      if (spec.image === "host") return spec;
      const { digest } = await images.pin(spec.image, askerOf(by, spec.imagePullSecrets), signal);
      return { ...spec, imageDigest: digest };
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
    images.hold(image, askerOf(by, spec.imagePullSecrets), { signal: new AbortController().signal }).then(
      (held) => held.release(),
      (error: unknown) => failed(spec, error),
    );
  }
}

/** The digests that current services are pinned to. */
export async function pinnedDigests(state: Pick<State, "services">): Promise<Set<string>> {
  const records = await state.services(null);
  return new Set(records.flatMap(({ revision }) => revision.spec.imageDigest ?? []));
}
