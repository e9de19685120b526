import type { CorsRule } from "./rules.ts";

/** What a page wants to do. */
export interface CrossOrigin {
  readonly origin: string;
  readonly method: string;
  /** Lower-case. Those that a preflight announces; of the request itself none are looked at, as the browser has asked before. */
  readonly headers: readonly string[];
}

/** The first rule that allows it; null when none does. */
export function findRule(rules: readonly CorsRule[], wanted: CrossOrigin): CorsRule | null {
  const allows = ({ origins, methods, allowedHeaders }: CorsRule): boolean =>
    methods.includes(wanted.method) &&
    origins.some((pattern) => matches(pattern, wanted.origin)) &&
    wanted.headers.every((name) => allowedHeaders.some((pattern) => matches(pattern, name)));
  return rules.find(allows) ?? null;
}

function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === text;
  const [before, behind] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return text.length >= before.length + behind.length && text.startsWith(before) && text.endsWith(behind);
}

/** The headers that let the page see the answer, names and values in turn. A rule for everybody tells no origin, so that caches may share the
 *  answer; any other names the one that asked. Signatures are in the request, so cookies are never asked for where `*` is said. */
export function corsHeaders(rule: CorsRule, { origin, headers }: CrossOrigin): Array<readonly [string, string]> {
  const forAll = rule.origins.includes("*");
  return [
    ["Access-Control-Allow-Origin", forAll ? "*" : origin],
    ["Access-Control-Allow-Methods", rule.methods.join(", ")],
    ...(headers.length === 0 ? [] : [["Access-Control-Allow-Headers", headers.join(", ")] as const]),
    ...(rule.exposedHeaders.length === 0
      ? []
      : [["Access-Control-Expose-Headers", rule.exposedHeaders.join(", ")] as const]),
    ...(rule.maxAgeSeconds === null ? [] : [["Access-Control-Max-Age", String(rule.maxAgeSeconds)] as const]),
    ...(forAll ? [] : [["Access-Control-Allow-Credentials", "true"] as const]),
  ];
}
