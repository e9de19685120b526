import { randomBytes } from "node:crypto";
import { statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../core/object.ts";
import { SYSTEM_PRINCIPAL } from "../../core/principal.ts";
import { createLog } from "../../lib/log.ts";
import type { StoreFinding } from "./findings.ts";
import { CheckBench } from "./testing/check-bench.ts";

let bench: CheckBench;
beforeEach(async () => {
  bench = await CheckBench.open();
});
afterEach(async () => {
  await bench.close();
  bench.remove();
});

const NOTHING = {
  ...{ kind: "end", blobs: 0, bytes: 0, damaged: 0, mended: 0, objects: 0, orphans: 0, removed: 0 },
  ...{ references: 0, recounted: 0, cut: false },
};
const object = (key: string, blob: string | null, damage: string) => ({
  ...{
    kind: "object",
    holder: "object",
    bucket: "box",
    key,
    versionId: "null",
    isLatest: true,
    id: null,
    blob,
    damage,
  },
});
const ofKind = (findings: readonly StoreFinding[], kind: StoreFinding["kind"]) =>
  findings.filter((finding) => finding.kind === kind);
const small = (text = "small") => Buffer.from(text);
const large = (bytes = 2 * BLOCK_BYTES + 5) => randomBytes(bytes);

describe("a check", () => {
  it("finds nothing where all is well, and reads every byte", async () => {
    const first = large();
    await bench.put("file", first);
    await bench.put("row", small());
    await bench.put("empty", Buffer.alloc(0));
    expect(await bench.check()).toEqual([{ ...NOTHING, blobs: 3, bytes: first.length + 5 }]);
  });

  it("names a flipped bit, a missing file, files that are too short or too long, and bad bytes in a row", async () => {
    const [flipped, gone, short, long] = [
      await bench.put("flipped", large()),
      await bench.put("gone", large(200)),
      await bench.put("short", large(200)),
      await bench.put("long", large(200)),
    ];
    const inRow = await bench.put("in-row", small());
    await bench.put("sound", large(200));
    bench.spoil(flipped);
    unlinkSync(bench.pathOf(gone));
    bench.spoil(short, (bytes) => bytes.subarray(1));
    bench.spoil(long, (bytes) => Buffer.concat([bytes, small()]));
    bench.sql(`UPDATE blobs SET inline = x'0000000000' WHERE blob_id = '${inRow}'`);
    const findings = await bench.check();
    expect(ofKind(findings, "damaged")).toEqual([
      { kind: "damaged", blob: flipped, damage: "bytes", detail: "block 1 does not match its checksum" },
      { kind: "damaged", blob: gone, damage: "missing", detail: "its file is gone" },
      { kind: "damaged", blob: short, damage: "size", detail: "it has 199 bytes, not 200" },
      { kind: "damaged", blob: long, damage: "size", detail: "it has 205 bytes, not 200" },
      { kind: "damaged", blob: inRow, damage: "bytes", detail: "block 0 does not match its checksum" },
    ]);
    expect(ofKind(findings, "object")).toEqual([
      object("flipped", flipped, "bytes"),
      object("gone", gone, "missing"),
      object("short", short, "size"),
      object("long", long, "size"),
      object("in-row", inRow, "bytes"),
    ]);
    expect(findings.at(-1)).toMatchObject({ blobs: 6, damaged: 5, objects: 5, mended: 0 });
    expect(await bench.state.damagedCount()).toBe(5);
  });

  it("finds what is no file, and what cannot be read", async () => {
    const blob = await bench.put("a", large(200));
    unlinkSync(bench.pathOf(blob));
    symlinkSync("/etc/passwd", bench.pathOf(blob));
    expect(ofKind(await bench.check(), "damaged")).toMatchObject([{ blob, damage: "unreadable" }]);
  });

  it("makes the next use of a file verify it, or believe it", async () => {
    const [good, bad] = [await bench.put("good", large(200)), await bench.put("bad", large(200))];
    bench.spoil(bad);
    await bench.check();
    expect(statSync(bench.pathOf(bad)).mtimeMs).toBe(0);
    expect(Date.now() - statSync(bench.pathOf(good)).mtimeMs).toBeLessThan(60_000);
    const of = async (key: string) => {
      const found = await bench.state.object("box", key);
      if (found === null) throw new Error("gone");
      return bench.blobs.materialise(found, join(bench.folder, "scratch"));
    };
    await expect(of("bad")).rejects.toMatchObject({ code: "DATA_CORRUPT" });
    expect(await of("good")).toBe(bench.pathOf(good));
  });

  it("finds rows that contradict each other, and mends the counts", async () => {
    const [high, lost] = [await bench.put("high", large(200)), await bench.put("lost", small())];
    bench.sql(`UPDATE blobs SET refs = 9 WHERE blob_id = '${high}'; DELETE FROM blobs WHERE blob_id = '${lost}'`);
    const wrong = { kind: "references", blob: high, kept: 9, counted: 1 };
    expect(await bench.check()).toEqual([
      { ...wrong, mended: false },
      object("lost", null, "row"),
      { ...NOTHING, blobs: 1, bytes: 200, objects: 1, references: 1 },
    ]);
    expect(await bench.check({ repair: true })).toMatchObject([
      { ...wrong, mended: true },
      { key: "lost" },
      { references: 1, recounted: 1, objects: 1 },
    ]);
    await bench.delete("high");
    expect(await bench.state.garbageBlobs(9)).toEqual([high]);
  });

  it("says no progress and no summary once it is stopped, and lets the next one in", async () => {
    for (let n = 0; n < 40; n++) await bench.put(`${n}`, large(200));
    const check = bench.blobs.openCheck(bench.state);
    const stop = new AbortController();
    const findings: StoreFinding[] = [];
    for await (const finding of check.run({ repair: false, bytesPerSecond: 16 * 1024 }, stop.signal)) {
      findings.push(finding);
      setTimeout(() => stop.abort(), 50);
    }
    expect(ofKind(findings, "end")).toEqual([]);
    const options = { repair: false, bytesPerSecond: 1e12 };
    const again = check.run(options, new AbortController().signal);
    expect((await again.next()).value).toMatchObject({ kind: "progress", phase: "rows" });
    expect(() => check.run(options, stop.signal)).toThrowError(expect.objectContaining({ code: "OVERLOADED" }));
    await again.return(undefined);
    expect((await Array.fromAsync(check.run(options, new AbortController().signal))).at(-1)).toMatchObject({
      blobs: 40,
    });
  });
});

describe("beside uploads and deletes", () => {
  it("leaves alone what is being staged, what has a row, and what is on its way out", async () => {
    await bench.stage(large(200));
    await bench.put("named", large(200));
    const garbage = await bench.put("deleted", large(200));
    await bench.delete("deleted");
    expect(await bench.check({ repair: true })).toMatchObject([{ kind: "end", orphans: 0, blobs: 1 }]);
    expect(bench.exists(garbage)).toBe(true);
    expect(await bench.get("named")).toHaveLength(200);
  });

  it("takes the file of an unfinished upload for what it is", async () => {
    const parts = bench.blobs.openParts(bench.state, createLog("error"));
    const facts = { contentType: "", metadata: {}, headers: {}, tags: {}, checksum: null, lineage: null };
    const upload = { uploadId: "u", bucket: "box", key: "a", ...facts };
    await bench.state.createUpload({ by: SYSTEM_PRINCIPAL, ...upload, at: 1 });
    const found = await bench.state.multipartUpload("box", "a", "u");
    if (found === null) throw new Error("gone");
    const source = (async function* () {
      yield large(BLOCK_BYTES);
    })();
    let during: StoreFinding[] = [];
    await parts.addPart(found, 1, source, BLOCK_BYTES, async (part) => {
      during = await bench.check({ repair: true });
      await bench.state.putPart("u", { ...part, number: 1, checksums: {}, at: 1 });
    });
    expect(during).toEqual([NOTHING]);
    await bench.blobs.settle((ids) => bench.state.unknownBlobs(ids));
    expect(await bench.check({ repair: true })).toEqual([{ ...NOTHING, blobs: 1 }]);
    const file = (await bench.state.blobPage(0, 1))[0]?.blobId ?? "";
    unlinkSync(bench.pathOf(file));
    const upload2 = { kind: "object", holder: "upload", bucket: "box", key: "a", id: "u", damage: "missing" };
    expect(ofKind(await bench.check({ repair: true }), "object")).toMatchObject([upload2]);
    await parts.close();
  });

  it("says nothing of a blob whose row goes while it is read", async () => {
    const blob = await bench.put("a", large(200));
    const { state } = bench;
    let looks = 0;
    const racing = {
      ...state,
      async blobPage(after: number, limit: number) {
        const page = await state.blobPage(after, limit);
        looks += 1;
        if (looks === 1) {
          await bench.delete("a");
          unlinkSync(bench.pathOf(blob));
        }
        return page;
      },
    };
    const check = bench.blobs.openCheck(racing);
    const all = await Array.fromAsync(check.run({ repair: true, bytesPerSecond: 1e12 }, new AbortController().signal));
    expect(ofKind(all, "damaged")).toEqual([]);
    expect(looks).toBeGreaterThan(1);
  });
});

describe("a repair", () => {
  it("removes files that no row names, of this process and of those before", async () => {
    const left = (await bench.stage(large(200))).blobId;
    const named = await bench.put("named", large(200));
    await bench.close();
    bench = await CheckBench.open(bench.folder);
    const orphan = bench.orphan();
    writeFileSync(join(bench.folder, "blobs", "00", "README"), "a person's");
    const orphans = (findings: StoreFinding[]) =>
      ofKind(findings, "orphan").map((each) => ("blob" in each ? each.blob : ""));
    const found = await bench.check();
    expect(orphans(found).toSorted()).toEqual([left, orphan].toSorted());
    expect(found.at(-1)).toMatchObject({ orphans: 2, removed: 0 });
    expect(bench.exists(orphan)).toBe(true);
    const repaired = await bench.check({ repair: true });
    expect(ofKind(repaired, "orphan")).toContainEqual({ kind: "orphan", blob: orphan, bytes: 9, removed: true });
    expect(repaired.at(-1)).toMatchObject({ orphans: 2, removed: 2 });
    expect([left, orphan, named].map((blob) => bench.exists(blob))).toEqual([false, false, true]);
    expect(await bench.check()).toMatchObject([{ kind: "end", orphans: 0 }]);
  });

  it("gives damaged blobs their bytes back from another blob that has them", async () => {
    const bytes = large();
    const [flipped, other] = [await bench.put("flipped", bytes), await bench.put("other", bytes)];
    const [row, otherRow] = [await bench.put("row", small()), await bench.put("other-row", small())];
    bench.spoil(flipped);
    bench.sql(`UPDATE blobs SET inline = x'0000000000' WHERE blob_id = '${row}'`);
    const mode = statSync(bench.pathOf(flipped)).mode;
    const findings = await bench.check({ repair: true });
    expect(ofKind(findings, "mended")).toEqual([
      { kind: "mended", blob: flipped, from: other },
      { kind: "mended", blob: row, from: otherRow },
    ]);
    expect(findings.at(-1)).toMatchObject({ damaged: 2, mended: 2, objects: 0 });
    expect((await bench.get("flipped")).equals(bytes)).toBe(true);
    expect(statSync(bench.pathOf(flipped)).mode).toBe(mode);
    expect(await bench.get("row")).toEqual(small());
    expect(await bench.state.damagedCount()).toBe(0);
    expect(await bench.check()).toMatchObject([{ kind: "end", damaged: 0, orphans: 0 }]);
  });

  it("takes off what was added behind a blob's bytes", async () => {
    const bytes = large(200);
    const blob = await bench.put("long", bytes);
    bench.spoil(blob, (all) => Buffer.concat([all, small()]));
    expect(ofKind(await bench.check({ repair: true }), "mended")).toEqual([{ kind: "mended", blob, from: blob }]);
    expect(statSync(bench.pathOf(blob)).size).toBe(200);
    expect((await bench.get("long")).equals(bytes)).toBe(true);
  });

  it("believes no twin that is damaged too, or that is another under the same name; nothing of it is left", async () => {
    const bytes = large(200);
    const [one, two] = [await bench.put("one", bytes), await bench.put("two", bytes)];
    const liar = await bench.put("liar", large(200));
    for (const blob of [one, two]) bench.spoil(blob);
    bench.sql(`UPDATE blobs SET md5 = (SELECT md5 FROM blobs WHERE blob_id = '${one}') WHERE blob_id = '${liar}'`);
    const findings = await bench.check({ repair: true });
    expect(findings.at(-1)).toMatchObject({ damaged: 2, mended: 0, objects: 2 });
    for (const key of ["one", "two"]) await expect(bench.get(key)).rejects.toMatchObject({ code: "DATA_CORRUPT" });
    expect(await bench.check()).toMatchObject([{}, {}, {}, {}, { kind: "end", orphans: 0, objects: 2 }]);
    expect(await bench.get("liar")).toHaveLength(200);
  });
});
