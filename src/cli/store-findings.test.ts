import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { StoreFinding } from "../client/client.ts";
import { main } from "./index.ts";
import { findingText, isSound, summaryText } from "./store-findings.ts";
import { fakeIo } from "./testing/fake-io.ts";

type Summary = Extract<StoreFinding, { kind: "end" }>;
const SOUND: Summary = {
  ...{ kind: "end", blobs: 2, bytes: 2048, damaged: 0, mended: 0, objects: 0, orphans: 0, removed: 0 },
  ...{ references: 0, recounted: 0, cut: false },
};
const THING: Extract<StoreFinding, { kind: "object" }> = {
  ...{ kind: "object", holder: "object", bucket: "b", key: "k", versionId: "v1", isLatest: true, id: null, blob: "x" },
  damage: "bytes",
};
const ORPHAN = { kind: "orphan", blob: "o", bytes: 9, removed: false } as const;

describe("findings", () => {
  it.each<[Parameters<typeof findingText>[0], string]>([
    [
      { kind: "damaged", blob: "x", damage: "bytes", detail: "block 0 does not match" },
      "blob x: block 0 does not match",
    ],
    [ORPHAN, "blob o: no row names this file of 9 B"],
    [{ ...ORPHAN, removed: true }, "blob o: no row names this file of 9 B (removed)"],
    [{ kind: "mended", blob: "x", from: "y" }, "blob x: mended, with the bytes of y"],
    [
      { kind: "references", blob: "x", kept: 3, counted: 1, mended: true },
      "blob x: counted 3 references, there are 1 (mended)",
    ],
    [{ ...THING, isLatest: false }, "damaged: b/k, version v1: its bytes do not match their checksum"],
    [{ ...THING, damage: "missing" }, "damaged: b/k: its file is gone"],
    [
      { ...THING, holder: "upload", id: "u" },
      "damaged: b/k, in the unfinished upload u: its bytes do not match their checksum",
    ],
    [
      { ...THING, holder: "output", id: "j" },
      "damaged: b/k, an output of job j: its bytes do not match their checksum",
    ],
    [{ ...THING, holder: "job", id: "j" }, "damaged: the input of job j: its bytes do not match their checksum"],
  ])("%# are lines that people can read", (finding, text) => expect(findingText(finding)).toBe(text));

  it("do nothing to a terminal, whatever a key holds", () => {
    expect(findingText({ ...THING, key: "k\u001b[31m" })).not.toContain("\u001b");
  });

  it("come to a sentence, with what to do", () => {
    expect(summaryText(SOUND)).toBe("Checked 2 blobs, 2.0 KiB: all is well");
    expect(summaryText({ ...SOUND, orphans: 2, references: 1 })).toBe(
      "Checked 2 blobs, 2.0 KiB: 2 files that nothing names, 1 wrong count of references\nMend it with: sluice store check --repair",
    );
    expect(summaryText({ ...SOUND, damaged: 2, mended: 1, objects: 1, orphans: 1, removed: 1 })).toBe(
      "Checked 2 blobs, 2.0 KiB: 2 damaged blobs (1 mended), 1 damaged object, 1 file that nothing names (1 removed)\nPut damaged objects again, restore them from a backup, or delete them",
    );
  });

  it("leave the store sound when all that was wrong is mended", () => {
    expect(isSound(SOUND)).toBe(true);
    expect(isSound({ ...SOUND, damaged: 1, mended: 1, orphans: 2, removed: 2, references: 1, recounted: 1 })).toBe(
      true,
    );
    for (const wrong of ["damaged", "objects", "orphans", "references"]) {
      expect(isSound({ ...SOUND, [wrong]: 1 }), wrong).toBe(false);
    }
    expect(isSound({ ...SOUND, cut: true })).toBe(false);
  });
});

describe("sluice store", () => {
  let close: () => void = () => undefined;
  afterEach(() => close());

  /** A server that answers a check with these findings, and cuts the connection behind them when `cut`. */
  async function sluice(argv: readonly string[], findings: readonly StoreFinding[], cut = false) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const finding of findings) response.write(`event: ${finding.kind}\ndata: ${JSON.stringify(finding)}\n\n`);
      if (cut) setImmediate(() => response.destroy());
      else response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    close = () => server.close();
    const io = fakeIo({ env: { SLUICE_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } });
    const code = await main(["store", ...argv], io);
    return { code, asked, ...io.written() };
  }

  it("prints findings, and exits with what became of them", async () => {
    const progress = { kind: "progress", phase: "blobs", blobs: 1, bytes: 1, ofBlobs: 2, ofBytes: 2 } as const;
    const bad = await sluice(["check", "--rate", "2Mi"], [progress, ORPHAN, { ...SOUND, orphans: 1 }]);
    expect(bad).toMatchObject({ code: 1, asked: ["POST /system/store/check?repair=false&rate=2097152"], err: "" });
    expect(bad.out.split("\n").slice(0, 2)).toEqual([
      "blob o: no row names this file of 9 B",
      "Checked 2 blobs, 2.0 KiB: 1 file that nothing names",
    ]);
    const mended = await sluice(["check", "--repair", "--json"], [progress, { ...SOUND, orphans: 1, removed: 1 }]);
    expect(mended).toMatchObject({ code: 0, asked: ["POST /system/store/check?repair=true"] });
    expect(JSON.parse(mended.out)).toEqual({ ...SOUND, orphans: 1, removed: 1 });
  });

  it("takes no half check for a whole one", async () => {
    expect(await sluice(["check"], [ORPHAN])).toMatchObject({ code: 3, err: expect.stringContaining("UNREACHABLE") });
    expect(await sluice(["check"], [ORPHAN], true)).toMatchObject({
      code: 3,
      err: expect.stringContaining("UNREACHABLE"),
    });
  });

  it("says what it can do, and that a server must run", async () => {
    expect(await sluice(["mend"], [])).toMatchObject({ code: 2, err: expect.stringContaining("say check") });
    expect(await sluice(["check", "--rate", "fast"], [])).toMatchObject({
      code: 2,
      err: expect.stringContaining("20Mi"),
    });
    const io = fakeIo({ env: { SLUICE_ENDPOINT: "http://127.0.0.1:1" } });
    expect(await main(["store", "check"], io)).toBe(3);
    expect(io.written().err).toMatch(/^sluice: UNREACHABLE: .*npx sluice up/);
  });
});
