import { z } from "zod";
import { flag } from "./common.ts";

export type { StoreFinding } from "../../objectstore/scrub/findings.ts";

const MIB = 1024 ** 2;

export const storeCheckQuery = z.strictObject({
  repair: flag.describe(
    "true removes files that no row names, counts references anew, and mends what another blob has the bytes of",
  ),
  rate: z.coerce
    .number()
    .int()
    .min(MIB)
    .default(128 * MIB)
    .describe("Bytes read a second, at least 1048576. Default: 134217728"),
});
