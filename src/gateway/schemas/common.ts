import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../../core/errors.ts";

const codes = Object.keys(ERROR_CODES) as ErrorCode[];

/** Any JSON object; what is in it is another room's to say. */
export const anyObject = z.record(z.string(), z.unknown());

/** RFC 3339, UTC. */
export const instant = z.string().meta({ format: "date-time", examples: ["2026-01-31T12:00:00.000Z"] });

/** Resource name → amount: `cpu` milli-cores, `memory` and `disk` bytes, `gpu` devices. */
export const resources = z.record(z.string(), z.number());

/** `?flag=true`; also `1`, `0` and `false`. */
export const flag = z
  .enum(["true", "false", "1", "0"])
  .default("false")
  .transform((text) => text === "true" || text === "1");

/** How many items one page holds. */
export const pageSize = (max: number, preset: number) => z.coerce.number().int().min(1).max(max).default(preset);

/** How every call of ours answers an error.
 *  @see https://www.rfc-editor.org/rfc/rfc9457 */
export const problem = z.object({
  type: z.string(),
  title: z.string().describe("What the code means"),
  status: z.int(),
  detail: z.string().describe("What failed, why, and what to do"),
  code: z.enum(codes),
  retryable: z.boolean().describe("Whether the same call can succeed later"),
  request_id: z.string(),
  details: anyObject.optional(),
});

export type Problem = z.output<typeof problem>;
