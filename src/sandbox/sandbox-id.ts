import { SluiceError } from "../core/errors.ts";

const ID = /^[A-Za-z0-9._-]{1,200}$/;

/** @param living ids of sandboxes that are not destroyed yet
 *  @throws SluiceError INTERNAL for an id that is none (see `SandboxSpec`), or in use */
export function requireFreeId(id: string, living: { has(id: string): boolean }): void {
  if (ID.test(id) && !living.has(id)) return;
  throw new SluiceError("INTERNAL", `Cannot make a sandbox: its id '${id}' is not valid or is in use`);
}
