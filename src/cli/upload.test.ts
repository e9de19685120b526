import { createHash } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { testFolder } from "./testing/folder.ts";
import { patiently, transferAll } from "./transfers.ts";
import { uploadFile } from "./upload.ts";
import type { PlannedUpload } from "./upload-plan.ts";

const noWait = async (): Promise<void> => {};
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

async function file(text: string): Promise<PlannedUpload> {
  const path = join(await testFolder(), "f");
  await writeFile(path, text);
  return { path, key: "k", sizeBytes: text.length };
}

describe("uploadFile", () => {
  it("sends what the file holds and counts it", async () => {
    let counted = 0;
    const got: Buffer[] = [];
    await uploadFile(
      await file("hello"),
      async (_key, body) => {
        got.push(await buffer(body));
        return md5(Buffer.from("hello"));
      },
      (count) => {
        counted += count;
      },
    );
    expect(Buffer.concat(got).toString()).toBe("hello");
    expect(counted).toBe(5);
  });

  it("sends the whole file again after a failure that can pass, and counts it once", async () => {
    let tries = 0;
    let counted = 0;
    await uploadFile(
      await file("hello"),
      async (_key, body) => {
        tries += 1;
        const bytes = await buffer(body);
        if (tries < 3) throw new SluiceError("OVERLOADED", "later");
        return md5(bytes);
      },
      (count) => {
        counted += count;
      },
      noWait,
    );
    expect(tries).toBe(3);
    expect(counted).toBe(5);
  });

  it("notices a store that has other bytes", async () => {
    const send = async (): Promise<string> => md5(Buffer.from("other"));
    await expect(uploadFile(await file("hello"), send, () => {}, noWait)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
  });

  it("notices a file that shrinks, and sends no more than it promised of one that grows", async () => {
    const shrunk = await file("hello");
    await truncate(shrunk.path, 2);
    const read = async (_key: string, body: AsyncIterable<Uint8Array>): Promise<string> => md5(await buffer(body));
    await expect(uploadFile(shrunk, read, () => {}, noWait)).rejects.toThrow("3 bytes shorter");
    const grown = await file("hello");
    await writeFile(grown.path, "hello and more");
    const sizes: number[] = [];
    await uploadFile(
      grown,
      async (_key, body) => {
        const bytes = await buffer(body);
        sizes.push(bytes.length);
        return md5(bytes);
      },
      () => {},
    );
    expect(sizes).toEqual([5]);
  });
});

describe("patiently", () => {
  it("gives up after five tries, and at once where waiting cannot help", async () => {
    let tries = 0;
    const failing = (code: "OVERLOADED" | "FORBIDDEN" | "DISK_FULL") => async () => {
      tries += 1;
      throw new SluiceError(code, "no");
    };
    await expect(patiently(failing("OVERLOADED"), noWait)).rejects.toThrow("no");
    expect(tries).toBe(5);
    await expect(patiently(failing("FORBIDDEN"), noWait)).rejects.toThrow("no");
    await expect(patiently(failing("DISK_FULL"), noWait)).rejects.toThrow("no");
    expect(tries).toBe(7);
  });
});

describe("transferAll", () => {
  const items = Array.from({ length: 50 }, (_, index) => index);

  it("runs every item, a few at once, and reports the ones that failed", async () => {
    let active = 0;
    let most = 0;
    const failures = await transferAll(items, String, async (item) => {
      active += 1;
      most = Math.max(most, active);
      await new Promise(setImmediate);
      active -= 1;
      if (item % 20 === 7) throw new SluiceError("KEY_INVALID", `no ${item}`);
    });
    expect(failures.map((failure) => failure.name)).toEqual(["7", "27", "47"]);
    expect(most).toBe(8);
  });

  it("stops at a failure that all would meet", async () => {
    let started = 0;
    const run = transferAll(items, String, async () => {
      started += 1;
      throw new SluiceError("BUCKET_UNKNOWN", "no bucket");
    });
    await expect(run).rejects.toMatchObject({ code: "BUCKET_UNKNOWN" });
    expect(started).toBeLessThan(items.length);
  });
});
