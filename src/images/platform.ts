import { SluiceError } from "../core/errors.ts";

/** What an image is built for, as Go names it. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  ia32: "386",
  arm: "arm",
  riscv64: "riscv64",
  ppc64: "ppc64le",
  s390x: "s390x",
};

/** This machine. */
export const HERE: Platform = { architecture: ARCHITECTURES[process.arch] ?? process.arch, os: "linux", variant: "" };

const shown = ({ os, architecture, variant }: Platform): string =>
  `${os}/${architecture}${variant === "" ? "" : `/${variant}`}`;

/** The first of those that run here; one without a variant, or with the usual one (arm64/v8), before others.
 *  @throws SluiceError IMAGE_UNSUPPORTED with what there is */
export function choosePlatform<Entry extends { readonly platform: Platform }>(
  image: string,
  entries: readonly Entry[],
): Entry {
  const fitting = entries.filter(
    ({ platform }) => platform.os === HERE.os && platform.architecture === HERE.architecture,
  );
  const usual = fitting.find(({ platform }) => ["", "v8", "v1"].includes(platform.variant));
  const found = usual ?? fitting[0];
  if (found !== undefined) return found;
  const all = [...new Set(entries.map(({ platform }) => shown(platform)))].filter(
    (name) => !name.startsWith("unknown"),
  );
  throw new SluiceError(
    "IMAGE_UNSUPPORTED",
    `Cannot run the image "${image}" here: it is built for ${all.slice(0, 10).join(", ") || "no platform"}, and this machine is ${shown(HERE)}`,
  );
}
