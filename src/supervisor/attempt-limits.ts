import { SluiceError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import type { SandboxLimits } from "../sandbox/sandbox.ts";

/** Limits that no service sets for itself. */
export interface LimitDefaults {
  /** Most processes and threads of one attempt at once; default 2,048. */
  readonly pids?: number;
  /** Most files of one attempt at once, folders included; default 100,000 (decision 6). */
  readonly files?: number;
}

const PIDS = 2048;
const FILES = 100_000;

/** @throws SluiceError INTERNAL for a revision without cpu, memory or disk: apply gives each a default */
export function attemptLimits(spec: Service, defaults: LimitDefaults): SandboxLimits {
  return {
    cpuMilli: amount(spec, "cpu"),
    cpuHard: spec.cpuLimit,
    memoryBytes: amount(spec, "memory"),
    diskBytes: amount(spec, "disk"),
    wallMs: spec.timeoutMs,
    pids: defaults.pids ?? PIDS,
    files: defaults.files ?? FILES,
  };
}

function amount(spec: Service, name: string): number {
  const value = spec.resources[name];
  if (value === undefined) throw new SluiceError("INTERNAL", `Cannot run "${spec.name}": its revision has no ${name}`);
  return value;
}
