import { SluiceError } from "../../../core/errors.ts";
import { blockedNetworks } from "../../outbound/blocked-networks.ts";
import type { OutboundTools } from "../../outbound/find-tools.ts";
import type { SandboxSpec } from "../../sandbox.ts";
import { rootMaps } from "./id-maps.ts";
import type { ImageRoots } from "./image-root.ts";
import type { Flavour, LauncherKind, Slot } from "./slot.ts";

/** What of a sandbox tells which launcher it needs. */
export type LauncherUse = Pick<SandboxSpec, "root" | "network" | "tenant">;

export interface LauncherMakers {
  readonly imageRoots: ImageRoots;
  /** Programs for outbound networks; null where this machine has them not. */
  readonly outbound: OutboundTools | null;
}

export function flavourOf({ network, root }: LauncherUse): Flavour {
  if (network === "outbound") return "outbound";
  return root.kind === "image" ? "mounts" : "plain";
}

/** The launcher that such a sandbox needs in this slot. */
export function launcherKind(
  use: LauncherUse,
  slot: Slot,
  { imageRoots, outbound: tools }: LauncherMakers,
): LauncherKind {
  const maps = use.root.kind === "image" ? imageRoots.maps(use.root, slot) : null;
  if (use.network !== "outbound") return { maps, outbound: null };
  if (tools === null) throw new SluiceError("INTERNAL", "Cannot run in the sandbox: its network is not possible");
  return {
    maps: maps ?? rootMaps(slot.ids, null),
    outbound: { tools, blocked: blockedNetworks(), tenant: use.tenant },
  };
}
