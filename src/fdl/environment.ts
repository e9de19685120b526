import type { Path } from "../lib/tree.ts";
import type { Findings } from "./findings.ts";

/** Linux takes no argument or variable longer than 32 pages, `NAME=value` and its NUL together (MAX_ARG_STRLEN). */
const MAX_VARIABLE_BYTES = 32 * 4096;

/** All variables of a job together. */
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;

/** What of it is kept for the variables that every job gets: EVENT, of at most 64 KiB, and some thirty short ones. */
const OWN_BYTES = (64 + 32) * 1024;

/** What Kubernetes takes as the name of a variable. */
const NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** Checks names, and sizes as the kernel counts them: an environment that is too large would fail every job at its start. */
export function checkEnvironment(
  variables: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
  findings: Findings,
): void {
  let total = 0;
  for (const [map, values] of [["variables", variables] as const, ["secrets", secrets] as const]) {
    for (const [name, value] of Object.entries(values)) {
      total += checkVariable(name, value, ["environment", map, name], findings);
    }
  }
  const room = MAX_ENVIRONMENT_BYTES - OWN_BYTES;
  if (total > room) {
    findings.wrong(
      ["environment"],
      `the variables have ${total} bytes together, at most ${room} fit`,
      "pass large data as a file",
    );
  }
  for (const name of Object.keys(variables)) {
    if (Object.hasOwn(secrets, name)) {
      findings.wrongKey(
        ["environment", "secrets", name],
        `"${name}" is a variable and a secret`,
        "keep one of the two",
      );
    }
  }
}

/** @returns the bytes it takes */
function checkVariable(name: string, value: string, path: Path, findings: Findings): number {
  if (!NAME.test(name)) {
    findings.wrongKey(
      path,
      `"${name.slice(0, 60)}" cannot name a variable`,
      "use letters, digits and _, and no digit first",
    );
  }
  const bytes = Buffer.byteLength(name, "utf8") + Buffer.byteLength(value, "utf8") + 2;
  if (bytes > MAX_VARIABLE_BYTES) {
    findings.wrong(
      path,
      `the variable has ${bytes} bytes, at most ${MAX_VARIABLE_BYTES} fit`,
      "pass large data as a file",
    );
  }
  return bytes;
}
