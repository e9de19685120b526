import { z } from "zod";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

export const storedImage = z.object({
  digest: digest.describe("Of the manifest for this machine's platform: what services are pinned to"),
  references: z.array(z.string()).describe("Names that it was pulled by, newest first"),
  size: z.int().describe("Bytes of its files"),
  own_size: z.int().describe("Bytes that no other image shares: what removing it would free"),
  pulled_at: z.iso.datetime(),
  used_at: z.iso.datetime(),
  in_use: z.boolean().describe("A job runs on it now"),
});
export type StoredImage = z.infer<typeof storedImage>;

export const imageParams = z.strictObject({ digest });

export const pullBody = z.strictObject({
  image: z.string().min(1).max(512).describe("A name as in a service definition"),
  pull_secrets: z.array(z.string()).default([]).describe("Names of credentials in the server's configuration"),
});

export const freedAnswer = z.object({ freed: z.int().describe("Bytes that were freed") });
export type FreedAnswer = z.infer<typeof freedAnswer>;

/** What a pull tells while it goes on; `end` or `error` is the last. */
export type PullEvent =
  | {
      readonly kind: "progress";
      readonly layersDone: number;
      readonly layers: number;
      readonly bytesDone: number;
      readonly bytes: number;
    }
  | { readonly kind: "end"; readonly reference: string; readonly digest: string }
  | { readonly kind: "error"; readonly code: string; readonly message: string };
