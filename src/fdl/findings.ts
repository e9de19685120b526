import { type ErrorCode, SluiceError } from "../core/errors.ts";
import { locate, type Path, type Position, showPath, type TreeNode } from "../lib/tree.ts";

/** One mistake, placed by keys and list indexes. */
export interface Finding {
  readonly code: ErrorCode;
  readonly path: Path;
  /** Whether it is the key that is wrong, or its value. */
  readonly of: "key" | "value";
  readonly message: string;
  /** What to write instead, or null. */
  readonly suggestion: string | null;
}

/** One mistake as people and editors see it. Lines and columns count from 1; 0 when there was no text. */
export interface Problem extends Position {
  /** `functions.oscar[0].local.memory` */
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly suggestion: string | null;
}

/** More mistakes than this tell nobody more. */
const MAX_FINDINGS = 100;

/** Gathers what is wrong with a definition (it cannot be used then) and what the user should know although it can. */
export class Findings {
  readonly problems: Finding[] = [];
  readonly warnings: string[] = [];
  readonly #told = new Set<string>();

  /** @param code without it SERVICE_INVALID */
  wrong(path: Path, message: string, suggestion: string | null = null, code: ErrorCode = "SERVICE_INVALID"): void {
    this.add({ code, path, of: "value", message, suggestion });
  }

  wrongKey(path: Path, message: string, suggestion: string | null = null): void {
    this.add({ code: "SERVICE_INVALID", path, of: "key", message, suggestion });
  }

  warn(message: string): void {
    if (this.warnings.length < MAX_FINDINGS) this.warnings.push(message);
  }

  /** The same mistake of a part that several services share is told once. */
  add(finding: Finding): void {
    const key = JSON.stringify([finding.path, finding.message]);
    if (this.problems.length >= MAX_FINDINGS || this.#told.has(key)) return;
    this.#told.add(key);
    this.problems.push(finding);
  }
}

/** A finding with its place in the tree it came from. */
export function placed(root: TreeNode, finding: Finding): Problem {
  const { line, column } = locate(root, finding.path, finding.of);
  const { code, message, suggestion } = finding;
  return { line, column, path: showPath(finding.path), code, message, suggestion };
}

/** `memory: "12Q" is no quantity (write for example 256Mi)` */
function sentence(problem: Pick<Problem, "path" | "message" | "suggestion">): string {
  const where = problem.path === "" ? "" : `${problem.path}: `;
  return `${where}${problem.message}${problem.suggestion === null ? "" : ` (${problem.suggestion})`}`;
}

/** The error for these problems: their own code when they share one, else `fallback`; every problem is in the message and in
 *  `details.problems`. */
export function problemsError(what: string, problems: readonly Problem[], fallback: ErrorCode): SluiceError {
  const codes = new Set(problems.map((problem) => problem.code));
  const [only] = codes;
  const code = codes.size === 1 && only !== undefined && only !== "SERVICE_INVALID" ? only : fallback;
  return new SluiceError(code, `Cannot use ${what}: ${problems.map(sentence).join("; ")}`, {
    details: { problems: problems.map((problem) => ({ ...problem })) },
  });
}

/** The error of an FDL file, each problem on a line of its own as editors and terminals link it: `file:line:column: …`. */
export function fdlError(fileName: string, problems: readonly Problem[]): SluiceError {
  const lines = problems.map((problem) => `\n  ${fileName}:${problem.line}:${problem.column}: ${sentence(problem)}`);
  return new SluiceError("FDL_INVALID", `Cannot use ${fileName}: ${counted(problems.length)}${lines.join("")}`, {
    details: { problems: problems.map((problem) => ({ ...problem })) },
  });
}

const counted = (count: number): string => (count === 1 ? "it has a mistake" : `it has ${count} mistakes`);
