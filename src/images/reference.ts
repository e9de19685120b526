import { SluiceError } from "../core/errors.ts";

/** Where an image is: `registry/repository:tag@digest`. */
export interface ImageReference {
  /** Host with port, as it is asked: `registry-1.docker.io` for Docker Hub. */
  readonly registry: string;
  /** The registry as people write it, which credentials are filed under: `docker.io`. */
  readonly registryName: string;
  readonly repository: string;
  /** Null when a digest says which one and no tag was written. */
  readonly tag: string | null;
  /** `sha256:<64 hex>`; null while only a tag is known. */
  readonly digest: string | null;
}

const HUB = "docker.io";
const HUB_HOST = "registry-1.docker.io";
const DEFAULT_TAG = "latest";
const MAX_REPOSITORY_CHARACTERS = 255;

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST = /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::\d{1,5})?$/;

/** Reads an image's name as Docker does: without a host it is Docker Hub's, without a slash there it is an official one (`library/`), without a
 *  tag and digest it is `latest`. A first part is a host when it has a dot or a colon, or is `localhost`.
 *  @throws SluiceError IMAGE_UNSUPPORTED for what is no image's name
 *  @see https://github.com/distribution/reference (the grammar) */
export function parseImageReference(text: string): ImageReference {
  if (text === "host") throw refused(text, "it stands for the programs of the server's machine");
  const [named = "", digest, ...rest] = text.split("@");
  if (rest.length > 0) throw refused(text, "it has more than one @");
  if (digest !== undefined && !DIGEST.test(digest)) throw refused(text, "its digest is not sha256: and 64 hex digits");
  const { name, tag } = splitTag(named);
  if (tag !== null && !TAG.test(tag)) throw refused(text, "its tag has characters that tags have not");
  const { host, path } = splitHost(name);
  if (!HOST.test(host)) throw refused(text, "its registry is no host name");
  const repository = host === HUB && !path.includes("/") ? `library/${path}` : path;
  if (repository.length > MAX_REPOSITORY_CHARACTERS || !REPOSITORY.test(repository)) {
    throw refused(text, "its repository is not made of lower-case letters, digits, and . _ - between them");
  }
  return {
    registry: host === HUB ? HUB_HOST : host.toLowerCase(),
    registryName: host.toLowerCase(),
    repository,
    tag: tag ?? (digest === undefined ? DEFAULT_TAG : null),
    digest: digest ?? null,
  };
}

/** The name in full, as it is shown and kept. */
export function formatImageReference({ registryName, repository, tag, digest }: ImageReference): string {
  return `${registryName}/${repository}${tag === null ? "" : `:${tag}`}${digest === null ? "" : `@${digest}`}`;
}

/** A colon behind the last slash begins the tag; one before it belongs to a port. */
function splitTag(text: string): { name: string; tag: string | null } {
  const colon = text.lastIndexOf(":");
  if (colon < 0 || text.indexOf("/", colon) >= 0) return { name: text, tag: null };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function splitHost(name: string): { host: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  if (!isHost) return { host: HUB, path: name };
  const host = first === "index.docker.io" || first === HUB_HOST ? HUB : first;
  return { host, path: name.slice(slash + 1) };
}

function refused(text: string, why: string): SluiceError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new SluiceError(
    "IMAGE_UNSUPPORTED",
    `Cannot use the image "${shown}": ${why} (write for example docker.io/library/python:3.13-slim)`,
  );
}
