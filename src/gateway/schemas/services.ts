import { z } from "zod";
import { anyObject, flag } from "./common.ts";

export const serviceParams = z.object({ name: z.string().min(1) });

/** A definition as OSCAR's clients send it; which keys there are and what they mean is the FDL room's to say. */
export const definition = anyObject.describe(
  "A service in OSCAR's keys and Sluice's own; `script` is the script's text",
);

/** A service as OSCAR's clients read it: the definition, with what the server adds. */
export const service = z.looseObject({
  name: z.string(),
  script: z.string(),
  owner: z.string(),
  token: z.string().optional().describe("Only for the owner and the administrator"),
  labels: z.record(z.string(), z.string()),
  environment: z
    .looseObject({
      variables: z.record(z.string(), z.string()).optional(),
      secrets: z.record(z.string(), z.literal("")).optional().describe("Names only"),
    })
    .optional(),
  revision: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

export const removeServiceQuery = z.object({
  data: flag.describe("true removes its buckets with all objects too"),
});

export const applyQuery = z.strictObject({
  dry_run: flag.describe("true checks and says what would change, without changing it"),
});

export const applyBody = z.array(definition).min(1).max(1000);

export const applyAnswer = z.object({
  dry_run: z.boolean(),
  services: z.array(z.object({ name: z.string(), result: z.enum(["created", "updated", "unchanged"]) })),
  warnings: z.array(z.string()).describe("Keys that this server keeps but cannot honour, each with its service"),
});

export type Service = z.output<typeof service>;
export type ApplyAnswer = z.output<typeof applyAnswer>;
