import type { z } from "zod";
import { SluiceError } from "../core/errors.ts";

const WHERE = { address: "the address", query: "the query", body: "the body" } as const;
const MOST_PROBLEMS = 20;

/** Checks a part of a request against its schema and returns it parsed; undefined without a schema.
 *  @throws SluiceError REQUEST_INVALID naming every problem (at most 20); values are not repeated, they may be secrets */
export function parseParameters<T>(
  schema: z.ZodType<T> | undefined,
  value: unknown,
  part: keyof typeof WHERE,
): T | undefined {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, MOST_PROBLEMS).map((issue) => ({
    path: issue.path.map(String).join("."),
    message: lowerFirst(issue.message),
  }));
  const said = problems.map(({ path, message }) => (path === "" ? message : `"${path}": ${message}`));
  throw new SluiceError("REQUEST_INVALID", `Cannot use ${WHERE[part]} of this call: ${said.join("; ")}`, {
    details: { problems },
  });
}

const lowerFirst = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1);
