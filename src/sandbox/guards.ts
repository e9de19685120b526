import type { Guard } from "./sandbox.ts";

export function enforced(name: string, why = ""): Guard {
  return { name, state: "enforced", why, mend: "" };
}

export function weaker(name: string, why: string, mend: string): Guard {
  return { name, state: "weaker", why, mend };
}

export function missing(name: string, why: string, mend: string): Guard {
  return { name, state: "missing", why, mend };
}
