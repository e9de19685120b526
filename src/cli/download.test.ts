import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { type Download, type DownloadSource, FolderMaker, saveObject } from "./download.ts";
import { partialName } from "./local-path.ts";
import { testFolder } from "./testing/folder.ts";

const BYTES = Buffer.from("0123456789abcdef".repeat(5000));
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

async function object(over: Partial<Download> = {}): Promise<Download & { folder: string }> {
  const folder = await testFolder();
  return {
    folder,
    bucket: "b12",
    key: "k",
    path: join(folder, "k"),
    sizeBytes: BYTES.length,
    etag: md5(BYTES),
    ...over,
  };
}

const noWait = async (): Promise<void> => {};

/** A store that cuts the first connections after so many bytes, and remembers where it was asked to begin. */
function store(cuts: number[] = [], bytes: Uint8Array = BYTES): DownloadSource & { starts: number[] } {
  const starts: number[] = [];
  const open: DownloadSource["open"] = async (_download, from) => {
    starts.push(from);
    const cut = cuts.shift();
    return (async function* () {
      for (let at = from; at < bytes.length; at += 1000) {
        if (cut !== undefined && at - from >= cut) throw new SluiceError("UNREACHABLE", "cut");
        yield bytes.subarray(at, at + 1000);
      }
    })();
  };
  return { open, starts, crc32: async () => null };
}

describe("saveObject", () => {
  it("saves the bytes under the name, and nothing beside it", async () => {
    const download = await object();
    let counted = 0;
    await saveObject(
      download,
      store(),
      (count) => {
        counted += count;
      },
      noWait,
    );
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
    expect(await readdir(download.folder)).toEqual(["k"]);
    expect(counted).toBe(BYTES.length);
  });

  it("goes on where a connection was cut", async () => {
    const download = await object();
    const source = store([10_000, 20_000]);
    let counted = 0;
    await saveObject(
      download,
      source,
      (count) => {
        counted += count;
      },
      noWait,
    );
    expect(source.starts).toEqual([0, 10_000, 30_000]);
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
    expect(counted).toBe(BYTES.length);
  });

  it("goes on where an earlier run ended, and never shows a half file", async () => {
    const download = await object();
    await expect(saveObject(download, store([5000, 0, 0, 0, 0]), () => {}, noWait)).rejects.toThrow("cut");
    expect(await readdir(download.folder)).toEqual([partialName("b12", "k", download.etag)]);
    const source = store();
    await saveObject(download, source, () => {}, noWait);
    expect(source.starts).toEqual([5000]);
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
  });

  it("looks at the CRC32 of what came to the store in parts, whose ETag says nothing", async () => {
    const download = await object({ etag: `${md5(BYTES)}-2` });
    const right = Buffer.alloc(4);
    right.writeUInt32BE(crc32(BYTES));
    const source = { ...store(), crc32: async () => "AAAAAA==" };
    await expect(saveObject(download, source, () => {}, noWait)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    expect(await readdir(download.folder)).toEqual([]);
    await saveObject(download, { ...store([30_000]), crc32: async () => right.toString("base64") }, () => {}, noWait);
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
  });

  it.each([
    ["wrong", Buffer.from("x".repeat(BYTES.length))],
    ["too many", Buffer.concat([BYTES, Buffer.from("!")])],
  ])(
    "refuses %s bytes and keeps the file that was there",
    async (_what, bytes) => {
      const download = await object();
      await writeFile(download.path, "old");
      await expect(saveObject(download, store([], bytes), () => {}, noWait)).rejects.toMatchObject({
        code: "CHECKSUM_MISMATCH",
      });
      expect(await readFile(download.path, "utf8")).toBe("old");
      expect(await readdir(download.folder)).toEqual(["k"]);
    },
    40_000,
  );

  it("drops a part that was tampered with and starts again", async () => {
    const download = await object();
    await writeFile(join(download.folder, partialName("b12", "k", download.etag)), "tampered");
    const source = store();
    await saveObject(download, source, () => {}, noWait);
    expect(source.starts).toEqual([8, 0]);
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
  });

  it("does not write through a link that lies in the way", async () => {
    const download = await object();
    await writeFile(join(download.folder, "victim"), "safe");
    await symlink("victim", join(download.folder, partialName("b12", "k", download.etag)));
    await expect(saveObject(download, store(), () => {}, noWait)).rejects.toMatchObject({ code: "USAGE" });
    await symlink("victim", download.path);
    const other = { ...download, etag: "composite-2" };
    await saveObject(other, store(), () => {}, noWait);
    expect(await readFile(join(download.folder, "victim"), "utf8")).toBe("safe");
    expect((await readFile(download.path)).equals(BYTES)).toBe(true);
  });

  it("saves an empty object without asking for bytes", async () => {
    const download = await object({ sizeBytes: 0, etag: md5(Buffer.alloc(0)) });
    const source = store();
    await saveObject(download, source, () => {}, noWait);
    expect(source.starts).toEqual([]);
    expect((await readFile(download.path)).length).toBe(0);
  });
});

describe("FolderMaker", () => {
  it("makes folders, and refuses to walk through links and files", async () => {
    const folder = await testFolder();
    const maker = new FolderMaker(join(folder, "target"));
    await maker.makeFor("a/b/c.txt");
    expect(await readdir(join(folder, "target/a"))).toEqual(["b"]);
    await mkdir(join(folder, "outside"));
    await symlink(join(folder, "outside"), join(folder, "target/link"));
    await expect(maker.makeFor("link/x/y")).rejects.toThrow("it is a symbolic link");
    expect(await readdir(join(folder, "outside"))).toEqual([]);
    await writeFile(join(folder, "target/file"), "");
    await expect(maker.makeFor("file/x")).rejects.toThrow("a file is in the way");
  });
});
