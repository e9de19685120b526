import { rmSync, writeFileSync } from "node:fs";
import { SluiceError } from "../../core/errors.ts";
import type { Log } from "../../lib/log.ts";
import { shareOut } from "../../lib/share-out.ts";
import { findOutboundTools } from "../outbound/find-tools.ts";
import type { Instance, ReadySpec, Sandbox, SandboxReport, SandboxSpec } from "../sandbox.ts";
import { requireFreeId } from "../sandbox-id.ts";
import { writeCallFilter } from "./bubblewrap/call-filter.ts";
import { openCgroups } from "./bubblewrap/cgroup-detect.ts";
import { Doctor } from "./bubblewrap/doctor.ts";
import { diagnose, INSTALL_LINE, sentence } from "./bubblewrap/failure.ts";
import { HostRoot } from "./bubblewrap/host-root.ts";
import { ImageRoots } from "./bubblewrap/image-root.ts";
import { closeInherited } from "./bubblewrap/inherited-descriptors.ts";
import { BubblewrapInstance, type InstanceDriver } from "./bubblewrap/instance.ts";
import { flavourOf, launcherKind } from "./bubblewrap/launcher-kind.ts";
import { type Bwrap, findBwrap, makeRuntimeFolder, removeLeftFolders } from "./bubblewrap/machine.ts";
import { NAME_SERVER } from "./bubblewrap/network/outbound.ts";
import { processesOfUids } from "./bubblewrap/proc-table.ts";
import { sendSignal } from "./bubblewrap/signals.ts";
import type { Slot } from "./bubblewrap/slot.ts";
import { SlotPool } from "./bubblewrap/slot-pool.ts";
import { reuseKey } from "./bubblewrap/slot-root.ts";
import { claimUidBlock, mapsIds, type UidBlock } from "./bubblewrap/uid-block.ts";

export interface BubblewrapOptions {
  /** Stands in the names of this server's control groups and runtime folder (see `ownedName`): the same at every start on one data directory,
   *  another for each directory. `[A-Za-z0-9._-]`, at most 64 characters. */
  readonly name: string;
  /** Folders that no script may see: the data directory. */
  readonly privatePaths: readonly string[];
  /** Absolute; default: `bwrap` in PATH. */
  readonly bwrapPath?: string;
  /** Default: a folder in /run, $XDG_RUNTIME_DIR or /dev/shm. */
  readonly runtimeFolder?: string;
  /** First host user id of the slots, how many, and their shared group (`sluice-slots`). Defaults 200000, 256, 200000. A block that is
   *  taken makes the next one count. */
  readonly uidBase?: number;
  readonly uidCount?: number;
  readonly gid?: number;
  /** Paths of the machine that scripts see, read-only, beyond the allow-list. */
  readonly extraPaths?: readonly string[];
  /** Default false. */
  readonly allowHostNetwork?: boolean;
  /** How the slots' users reach a mount's source; default: by the same path. */
  readonly visiblePath?: (path: string) => string;
  /** Between SIGTERM and SIGKILL when a script's time runs out. Default 2,000. */
  readonly graceMs?: number;
  /** Idle launchers kept ready; default 16. */
  readonly warmSlots?: number;
  /** Idle ones vanish after so long; default 10 minutes. */
  readonly idleMs?: number;
  readonly log: Log;
}

const DEFAULT_UID_BASE = 200_000;
const DEFAULT_UID_COUNT = 256;
const DEFAULT_GID = 200_000;
const DEFAULT_GRACE_MS = 2_000;
const DEFAULT_WARM_SLOTS = 16;
const DEFAULT_IDLE_MS = 600_000;

/** Runs attempts in bubblewrap on this machine: as root each in a slot with a host user id of its own, as an ordinary user in user
 *  namespaces of that user. `docs/decisions/` says why sandboxes are started by warm launchers.
 *  @throws SluiceError CONFIG_INVALID for paths that cannot be shown; SANDBOX_UNAVAILABLE when the machine has no place to work */
export async function bubblewrapSandbox(options: BubblewrapOptions): Promise<BubblewrapSandbox> {
  closeInherited();
  const root = process.geteuid?.() === 0;
  const [uidBase, uidCount] = [options.uidBase ?? DEFAULT_UID_BASE, options.uidCount ?? DEFAULT_UID_COUNT];
  const uids = root && mapsIds(uidBase, uidCount) ? await claimUidBlock(uidBase, uidCount) : null;
  const runtimeFolder = makeRuntimeFolder(options.runtimeFolder, options.name, root);
  const cgroups = openCgroups(options.name, root);
  const callFilter = `${runtimeFolder}/call-filter`;
  const pool = new SlotPool({
    folder: `${runtimeFolder}/slots`,
    uids,
    gid: options.gid ?? DEFAULT_GID,
    count: uidCount,
    cgroups: "version" in cgroups ? cgroups : null,
    warm: options.warmSlots ?? DEFAULT_WARM_SLOTS,
    idleMs: options.idleMs ?? DEFAULT_IDLE_MS,
    failed: (error) => options.log.error("cannot end what is idle", { error }),
  });
  writeFileSync(`${runtimeFolder}/resolv.conf`, `nameserver ${NAME_SERVER}\n`, { mode: 0o644 });
  const hostRoot = new HostRoot({
    runtimeFolder,
    extraPaths: options.extraPaths ?? [],
    privatePaths: [...options.privatePaths, runtimeFolder],
    insideUid: INSIDE_ID,
    insideGid: INSIDE_ID,
  });
  return new BubblewrapSandbox({
    options,
    bwrap: await findBwrap(options.bwrapPath),
    uids,
    cgroups,
    callFilter: writeCallFilter(callFilter) ? callFilter : null,
    pool,
    hostRoot,
    imageRoots: new ImageRoots({ runtimeFolder, gid: uids === null ? null : (options.gid ?? DEFAULT_GID) }),
    outbound: findOutboundTools(),
    runtimeFolder,
  });
}

/** Who a script is inside its sandbox; the made /etc/passwd names it `sluice`. */
const INSIDE_ID = 1000;

const AS_IT_IS = (path: string): string => path;

interface Parts {
  readonly options: BubblewrapOptions;
  readonly bwrap: Bwrap | null;
  readonly uids: UidBlock | null;
  readonly cgroups: ReturnType<typeof openCgroups>;
  readonly callFilter: string | null;
  readonly pool: SlotPool;
  readonly hostRoot: HostRoot;
  readonly imageRoots: ImageRoots;
  readonly outbound: ReturnType<typeof findOutboundTools>;
  readonly runtimeFolder: string;
}

class BubblewrapSandbox implements Sandbox {
  readonly driver = "bubblewrap";
  readonly #parts: Parts;
  readonly #instances: Omit<InstanceDriver, "visiblePath" | "release">;
  readonly #doctor: Doctor;
  readonly #living = new Set<string>();
  #report: Promise<SandboxReport> | null = null;
  #reclaimed: Promise<string[]> | null = null;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { options, bwrap, hostRoot } = parts;
    this.#instances = {
      bwrapPath: bwrap?.path ?? "/usr/bin/bwrap",
      disablesUserns: bwrap?.disablesUserns ?? false,
      callFilter: parts.callFilter,
      graceMs: options.graceMs ?? DEFAULT_GRACE_MS,
      insideIds: { uid: INSIDE_ID, gid: INSIDE_ID },
      rootMounts: () => hostRoot.mounts(),
      imageRoots: parts.imageRoots,
      outbound: "missing" in parts.outbound ? null : parts.outbound,
      outboundResolvConf: `${parts.runtimeFolder}/resolv.conf`,
      explain: (output) => sentence(diagnose(output)),
    };
    this.#doctor = new Doctor({
      bwrap,
      uids: parts.uids,
      cgroups: parts.cgroups,
      filtersCalls: parts.callFilter !== null,
      allowHostNetwork: options.allowHostNetwork ?? false,
      outbound: parts.outbound,
      folder: `${parts.runtimeFolder}/probe`,
      create: (spec) => this.#create(spec, AS_IT_IS, true),
    });
  }

  /** The quick look: one sandbox runs. `fresh` puts every guard to the test, which takes about a second. */
  probe(fresh = false): Promise<SandboxReport> {
    if (fresh || this.#report === null) this.#report = this.#doctor.examine(fresh);
    return this.#report;
  }

  async create(spec: SandboxSpec): Promise<Instance> {
    this.#refuseNetwork(spec);
    return await this.#create(spec, this.#parts.options.visiblePath ?? AS_IT_IS, false);
  }

  /** No more than jobs run at once: the others would never be of use. */
  async keepReady(wanted: readonly ReadySpec[]): Promise<void> {
    if (this.#closed || this.#parts.bwrap === null) return;
    await this.reclaim();
    const { pool, options } = this.#parts;
    const shares = shareOut(
      wanted.map(({ count }) => count),
      options.warmSlots ?? DEFAULT_WARM_SLOTS,
    );
    const kept = wanted.map((want, at) => ({ ...want, count: shares[at] ?? 0, flavour: flavourOf(want) }));
    pool.keep(kept);
    for (const want of kept) await this.#makeReady(want);
  }

  async #makeReady(want: ReadySpec): Promise<void> {
    const { pool } = this.#parts;
    this.#refuseNetwork(want);
    const slots: Slot[] = [];
    try {
      while (slots.length < want.count) slots.push(await pool.take(flavourOf(want), want.tenant));
      for (const slot of slots) await slot.ready(launcherKind(want, slot, this.#instances));
    } finally {
      for (const slot of slots) await pool.giveBack(slot);
    }
  }

  reclaim(): Promise<string[]> {
    this.#reclaimed ??= this.#reclaim();
    return this.#reclaimed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { pool, cgroups, uids, runtimeFolder } = this.#parts;
    await pool.close();
    if ("version" in cgroups) cgroups.close();
    await uids?.release();
    rmSync(runtimeFolder, { recursive: true, force: true });
  }

  /** @param isTrial a doctor's sandbox: the next job is seldom of its kind, so no launcher with namespaces of its own stays for it */
  async #create(
    spec: SandboxSpec,
    visiblePath: (path: string) => string,
    isTrial: boolean,
  ): Promise<BubblewrapInstance> {
    if (this.#closed) throw new SluiceError("STOPPING", "Cannot make a sandbox: the driver is closed");
    if (this.#parts.bwrap === null) {
      throw new SluiceError(
        "SANDBOX_UNAVAILABLE",
        `Cannot make a sandbox: bubblewrap is not installed (${INSTALL_LINE})`,
      );
    }
    requireFreeId(spec.id, this.#living);
    await this.reclaim();
    const slot = await this.#parts.pool.take(flavourOf(spec), spec.tenant, reuseKey(spec));
    this.#living.add(spec.id);
    const release = async (freed: Slot, empty: boolean): Promise<void> => {
      this.#living.delete(spec.id);
      if (isTrial && empty && freed.flavour !== "plain") await freed.cool();
      await this.#release(freed, empty);
    };
    const instance = new BubblewrapInstance({ ...this.#instances, visiblePath, release }, spec, slot);
    try {
      await instance.prepare();
      return instance;
    } catch (error) {
      await release(slot, true);
      throw error;
    }
  }

  #refuseNetwork(spec: Pick<SandboxSpec, "network">): void {
    const { outbound, options } = this.#parts;
    const why =
      spec.network === "outbound"
        ? `${"missing" in outbound ? outbound.missing.join(", ") : ""} is not installed`
        : "the server's configuration does not allow the machine's own";
    if (spec.network === "outbound" && !("missing" in outbound)) return;
    if (spec.network === "none" || (spec.network === "host" && options.allowHostNetwork)) return;
    throw new SluiceError(
      "NETWORK_UNSUPPORTED",
      `Cannot give the sandbox network '${spec.network}': ${why} (use 'none')`,
    );
  }

  async #release(slot: Slot, empty: boolean): Promise<void> {
    if (empty) return await this.#parts.pool.giveBack(slot);
    this.#parts.pool.setAside(slot);
    this.#parts.options.log.error("Cannot empty a sandbox's slot: it is not used again", { slot: slot.index });
  }

  /** Whoever has a slot's user id now was left by an earlier server: ids of the block belong to nobody else. */
  async #reclaim(): Promise<string[]> {
    const { cgroups, uids } = this.#parts;
    await removeLeftFolders(process.geteuid?.() === 0);
    const said = "version" in cgroups ? await cgroups.reclaim() : [];
    if (uids === null) return said;
    const left = processesOfUids(uids.first, uids.count);
    if (left.length === 0) return said;
    sendSignal(left, "SIGKILL");
    return [...said, `Killed ${left.length} processes that an earlier server left`];
  }
}
