import { describe, expect, it } from "vitest";
import type { Part } from "../../state/object-calls.ts";
import { Assembly, MIN_PART_BYTES } from "./assembly.ts";

const MIB = 1024 * 1024;
const newId = (): string => "file";
const open = (): Assembly => new Assembly("u", null, []);

const partOf = (number: number, blob: Part["blob"] = null): Part => ({
  ...{ number, sizeBytes: 8 * MIB, md5: "", pieceCrc32c: new Uint8Array(), checksums: {}, lastModified: 0, blob },
});

describe("claim", () => {
  it("puts parts of one size one behind the other, in any order", () => {
    const assembly = open();
    expect(assembly.claim(3, 8 * MIB, newId)?.start).toBe(16 * MIB);
    expect(assembly.claim(1, 8 * MIB, newId)?.start).toBe(0);
    expect(assembly.file).toEqual({ blobId: "file", partBytes: 8 * MIB });
  });

  it("takes a shorter part, which may be the last", () => {
    const assembly = open();
    assembly.claim(1, 8 * MIB, newId);
    expect(assembly.claim(2, 5, newId)?.start).toBe(8 * MIB);
  });

  it.each([
    ["a longer part", 2, 9 * MIB],
    ["a number that was sent before", 1, 8 * MIB],
    ["an empty part", 2, 0],
  ])("has no place for %s", (_what, number, size) => {
    const assembly = open();
    assembly.claim(1, 8 * MIB, newId);
    expect(assembly.claim(number, size, newId)).toBeNull();
  });

  it("does not take the size of a small last part for that of all", () => {
    const assembly = open();
    expect(assembly.claim(4, MIN_PART_BYTES - 1, newId)).toBeNull();
    expect(assembly.claim(1, 3, newId)?.start).toBe(0);
  });

  it("has no place behind the end of the largest object, which no file system may hold", () => {
    const assembly = open();
    expect(assembly.claim(10_000, 5 * 1024 ** 3, newId)).toBeNull();
    expect(assembly.claim(1, 5 * 1024 ** 3, newId)?.start).toBe(0);
    expect(assembly.claim(1024, 5 * 1024 ** 3, newId)?.start).toBe(1023 * 5 * 1024 ** 3);
    expect(assembly.claim(1025, 5 * 1024 ** 3, newId)).toBeNull();
  });

  it("knows the places of parts from before a restart", () => {
    const assembly = new Assembly("u", { blobId: "old", partBytes: 8 * MIB }, [
      partOf(1),
      partOf(2, { kind: "file", blobId: "x" }),
    ]);
    expect(assembly.claim(1, 8 * MIB, newId)).toBeNull();
    expect(assembly.claim(2, 8 * MIB, newId)?.start).toBe(8 * MIB);
  });

  it("gives a place again when its write failed", () => {
    const assembly = open();
    assembly.claim(1, 8 * MIB, newId);
    assembly.free(1);
    expect(assembly.claim(1, 8 * MIB, newId)?.start).toBe(0);
  });
});

it("names a file that no row knows until a part is committed", () => {
  const assembly = open();
  expect(assembly.unnamed).toBeNull();
  assembly.claim(1, 8 * MIB, newId);
  expect(assembly.unnamed).toBe("file");
  assembly.committed();
  expect(assembly.unnamed).toBeNull();
});

describe("seal", () => {
  it("waits for writes and commits under way, and lets no other begin until unseal", async () => {
    const assembly = open();
    let end: () => void = () => undefined;
    const writing = assembly.run(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    let sealed = false;
    const sealing = assembly.seal().then(() => {
      sealed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(sealed).toBe(false);
    await expect(assembly.run(async () => 1)).rejects.toMatchObject({ code: "UPLOAD_UNKNOWN" });
    expect(() => assembly.claim(2, 8 * MIB, newId)).toThrow("being completed");
    end();
    await writing;
    await sealing;
    assembly.unseal();
    expect(await assembly.run(async () => 1)).toBe(1);
  });

  it("is for one at a time", async () => {
    const assembly = open();
    await assembly.seal();
    await expect(assembly.seal()).rejects.toMatchObject({ code: "UPLOAD_UNKNOWN" });
  });
});
