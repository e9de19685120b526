import type { Revision } from "../core/service.ts";

/** For whom a revision's sandboxes run: its service, of its owner. */
export const tenantOf = ({ owner, service }: Pick<Revision, "owner" | "service">): string =>
  JSON.stringify([owner, service]);
