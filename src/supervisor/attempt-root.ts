import { SluiceError } from "../core/errors.ts";
import { ADMIN_SUBJECT } from "../core/principal.ts";
import { formatBytes } from "../core/resources.ts";
import type { Service } from "../core/service.ts";
import type { HeldImage } from "../images/image.ts";
import type { Images, PullProgress } from "../images/images.ts";
import { isOverlayProgram } from "../lib/overlay-program.ts";
import type { SandboxRoot } from "../sandbox/sandbox.ts";
import { isHostProgram, type ScriptCommand, scriptCommand } from "./interpreter.ts";
import { SCRIPT_PATHS } from "./script-paths.ts";

/** What an attempt runs in. */
export interface AttemptRoot {
  readonly root: SandboxRoot;
  /** Of the image; empty for `host`. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  command(script: string): ScriptCommand;
  release(): void;
}

/** This machine's own programs. @param extraPaths what the configuration shows besides the allow-list */
export function hostRoot(extraPaths: readonly string[] | undefined): AttemptRoot {
  return {
    root: { kind: "host" },
    env: {},
    workingDirectory: SCRIPT_PATHS.home,
    command: (script) => scriptCommand(script, SCRIPT_PATHS.script, (program) => isHostProgram(program, extraPaths)),
    release: () => {},
  };
}

export interface ImageRootOptions {
  readonly images: Images | null;
  readonly owner: string;
  readonly signal: AbortSignal;
  /** A line for the attempt's log. */
  readonly say: (sentence: string) => void;
}

/** The image that the service's revision is pinned to, pulled first if it is not here.
 *  @throws SluiceError as `Images.hold`; IMAGE_UNSUPPORTED where this server has no images */
export async function imageRoot(spec: Service, { images, owner, signal, say }: ImageRootOptions): Promise<AttemptRoot> {
  if (images === null || spec.imageDigest === null) {
    throw new SluiceError(
      "IMAGE_UNSUPPORTED",
      `Cannot run the image "${spec.image}": this server has none of it (apply the service again)`,
    );
  }
  let isToldOf = false;
  const onProgress = ({ layers, bytes }: PullProgress): void => {
    if (!isToldOf) say(`pulling the image ${spec.image} (${layers} layers, ${formatBytes(bytes)})`);
    isToldOf = true;
  };
  const asker = { owner, isAdmin: owner === ADMIN_SUBJECT, pullSecrets: spec.imagePullSecrets };
  const image = await images.hold({ reference: spec.image, digest: spec.imageDigest }, asker, { signal, onProgress });
  return rootOf(spec, image);
}

/** @param reference the image's name */
export function sandboxRoot(reference: string, { config, layers, digest }: HeldImage): SandboxRoot {
  return { kind: "image", digest, reference, layers, user: config.user };
}

function rootOf(spec: Service, image: HeldImage): AttemptRoot {
  const { config, layers } = image;
  return {
    root: sandboxRoot(spec.image, image),
    env: config.env,
    workingDirectory: config.workingDirectory === "/" ? SCRIPT_PATHS.home : config.workingDirectory,
    command(script) {
      if (script !== "") return scriptCommand(script, SCRIPT_PATHS.script, (path) => isOverlayProgram(path, layers));
      const argv = [...config.entrypoint, ...config.command];
      if (argv.length > 0) return { argv, warning: null };
      throw new SluiceError(
        "IMAGE_UNSUPPORTED",
        `Cannot run the image "${spec.image}": it names no program, and the service has no script`,
      );
    },
    release: () => image.release(),
  };
}
