import { setFlagsFromString } from "node:v8";

/** V8's own. */
const GROWTH_FACTOR = 2;

/** Lets the garbage collector's young generation grow with the load from now on, as it always does where `bin/sluice.js` did not forbid it. */
export function letYoungGenerationGrow(): void {
  setFlagsFromString(`--semi-space-growth-factor=${GROWTH_FACTOR}`);
}
