import { ADMIN_SUBJECT } from "../core/principal.ts";
import type { Revision } from "../core/service.ts";
import type { HeldImage } from "../images/image.ts";
import type { Images } from "../images/images.ts";
import type { Log } from "../lib/log.ts";
import type { ReadySpec, Sandbox, SandboxRoot } from "../sandbox/sandbox.ts";
import type { State } from "../state/state.ts";
import { sandboxRoot } from "../supervisor/attempt-root.ts";
import { tenantOf } from "../supervisor/tenant.ts";

export interface KeepInstancesDeps {
  readonly state: Pick<State, "services" | "subscribe">;
  readonly sandbox: Pick<Sandbox, "keepReady">;
  readonly images: Pick<Images, "hold">;
  readonly log: Log;
}

/** After this a registry that did not answer may do so. */
const TRY_AGAIN_MS = 60_000;

/** Keeps what services ask to have ready (`synchronous.min_scale`): their images here, not to be evicted, and sandboxes. Follows the services as they change. */
export function keepInstances(deps: KeepInstancesDeps): { close(): Promise<void> } {
  const keeper = new InstanceKeeper(deps);
  const stop = deps.state.subscribe(({ kinds }) => {
    if (kinds.some((kind) => kind.startsWith("service."))) keeper.look();
  });
  keeper.look();
  return {
    async close() {
      stop();
      await keeper.close();
    },
  };
}

class InstanceKeeper {
  readonly #deps: KeepInstancesDeps;
  readonly #stopped = new AbortController();
  /** By the image's digest. */
  readonly #held = new Map<string, HeldImage>();
  #looking: Promise<void> = Promise.resolve();
  #isWanted = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: KeepInstancesDeps) {
    this.#deps = deps;
  }

  /** One look at a time; what changes meanwhile is seen by the next. */
  look(): void {
    if (this.#isWanted || this.#stopped.signal.aborted) return;
    this.#isWanted = true;
    this.#looking = this.#looking.then(() => this.#lookNow());
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
    for (const image of this.#held.values()) image.release();
  }

  async #lookNow(): Promise<void> {
    this.#isWanted = false;
    const { state, sandbox, log } = this.#deps;
    if (this.#stopped.signal.aborted) return;
    try {
      const services = (await state.services(null)).map(({ revision }) => revision);
      const asking = services.filter(({ spec }) => spec.minInstances > 0);
      const wanted = (await Promise.all(asking.map((revision) => this.#ready(revision)))).flatMap((spec) => spec ?? []);
      this.#release(new Set(asking.flatMap(({ spec }) => spec.imageDigest ?? [])));
      await sandbox.keepReady?.(wanted);
      log.debug("sandboxes are ready", { services: wanted.length });
    } catch (error) {
      this.#later(error);
    }
  }

  async #ready(revision: Revision): Promise<ReadySpec | null> {
    const { spec } = revision;
    try {
      const root = await this.#root(revision);
      return { root, network: spec.network, tenant: tenantOf(revision), count: spec.minInstances };
    } catch (error) {
      this.#later(error, spec.name);
      return null;
    }
  }

  async #root({ spec, owner }: Revision): Promise<SandboxRoot> {
    if (spec.imageDigest === null) return { kind: "host" };
    const image = { reference: spec.image, digest: spec.imageDigest };
    const asker = { owner, isAdmin: owner === ADMIN_SUBJECT, pullSecrets: spec.imagePullSecrets };
    const held = this.#held.get(image.digest) ?? (await this.#deps.images.hold(image, asker, this.#stopped));
    // Services that share an image share its hold.
    if (this.#held.has(image.digest) && this.#held.get(image.digest) !== held) held.release();
    else this.#held.set(image.digest, held);
    return sandboxRoot(spec.image, held);
  }

  #release(needed: ReadonlySet<string>): void {
    for (const [digest, image] of this.#held) {
      if (needed.has(digest)) continue;
      this.#held.delete(digest);
      image.release();
    }
  }

  /** Jobs do without: they pull and start what they need. */
  #later(error: unknown, service?: string): void {
    if (this.#stopped.signal.aborted) return;
    this.#deps.log.warn("cannot make sandboxes ready", { ...(service === undefined ? {} : { service }), error });
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), TRY_AGAIN_MS).unref();
  }
}
