import { createHash } from "node:crypto";

/** Characters of a chain id that a layer's folder is named by: the mount options of an overlay must fit in one page, with up to 120 layers. */
const NAME_CHARACTERS = 24;

/** The chain id of each layer: what names it together with all below it, so that equal names are equal trees.
 *  @param diffIds lowest first @see OCI image specification, config.md, "Layer ChainID" */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(
      below === undefined ? diffId : `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`,
    );
  }
  return chain;
}

/** The folder of a layer. */
export const layerName = (chainId: string): string =>
  chainId.slice("sha256:".length, "sha256:".length + NAME_CHARACTERS);
