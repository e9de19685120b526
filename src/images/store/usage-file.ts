import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { Shelf, Usage } from "./shelf.ts";

const whole = z.number().nonnegative();
const schema = z.object({
  clock: whole,
  images: z.record(z.string(), z.object({ uses: whole, lastUsedAt: whole, stamp: whole })),
});

export interface UsageFile {
  readonly clock: number;
  readonly images: Readonly<Record<string, Usage>>;
}

/** How images were used before; of no weight when it is lost or broken. */
export async function readUsage(path: string): Promise<UsageFile> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return { clock: 0, images: {} };
  }
}

export async function writeUsage(path: string, { clock, images }: Shelf): Promise<void> {
  const used = [...images.values()].map(({ record, uses, lastUsedAt, stamp }) => [
    record.digest,
    { uses, lastUsedAt, stamp },
  ]);
  await writeFile(`${path}.new`, JSON.stringify({ clock, images: Object.fromEntries(used) }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
