import { fifoPolicy } from "./policies/fifo.ts";
import type { SchedulingPolicy } from "./scheduler.ts";

export type PolicyName = "fifo";

/** Every scheduling policy joins here. */
export function openPolicy(name: PolicyName): SchedulingPolicy {
  switch (name) {
    case "fifo":
      return fifoPolicy();
  }
}
