import { open, readFile, rename, rm } from "node:fs/promises";
import { z } from "zod";
import type { ImageConfig } from "../image.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const whole = z.number().int().nonnegative();

const schema = z.strictObject({
  format: z.literal(1),
  digest,
  references: z.array(z.string()),
  config: z.strictObject({
    architecture: z.string(),
    os: z.string(),
    env: z.record(z.string(), z.string()),
    workingDirectory: z.string(),
    user: z.string(),
    entrypoint: z.array(z.string()),
    command: z.array(z.string()),
    diffIds: z.array(digest),
  }),
  layers: z.array(z.strictObject({ name: z.string().regex(/^[0-9a-f]{24}$/), diskBytes: whole })),
  createdAt: z.number(),
  pullMs: z.number().nonnegative(),
});

/** An image that is unpacked here. */
export interface ImageRecord {
  readonly format: 1;
  readonly digest: string;
  /** The names it was pulled by. */
  readonly references: readonly string[];
  readonly config: ImageConfig;
  /** Folders of its layers, lowest first, and what each takes of the disk. */
  readonly layers: readonly { readonly name: string; readonly diskBytes: number }[];
  /** UTC ms. */
  readonly createdAt: number;
  /** What it took to get it: the cost of removing it. */
  readonly pullMs: number;
}

export const recordFile = (digest: string): string => `${digest.slice("sha256:".length)}.json`;

/** Null for what is no record, or not that of the image the file is named by. */
export async function readRecord(folder: string, file: string): Promise<ImageRecord | null> {
  const text = await readFile(`${folder}/${file}`, "utf8");
  const parsed = schema.safeParse(jsonOf(text));
  return parsed.success && recordFile(parsed.data.digest) === file ? parsed.data : null;
}

/** Durable when it resolves; there whole or not at all, whatever happens. */
export async function writeRecord(folder: string, record: ImageRecord): Promise<void> {
  const path = `${folder}/${recordFile(record.digest)}`;
  const temporary = `${path}.new`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(record));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
