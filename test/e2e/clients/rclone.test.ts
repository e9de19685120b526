import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { clientFrame } from "../../support/client-frame.ts";
import { clientProgram, rcloneEnv, runProgram } from "../../support/client-programs.ts";

const program = clientProgram("rclone");

describe.skipIf(program === null).each(["Minio", "Other"])("rclone with provider %s", (provider) => {
  const frame = clientFrame();
  const { at, large: LARGE } = frame;

  const options = () => ({ env: rcloneEnv(frame.home, frame.s3.endpoint, provider) });
  const rclone = (...args: string[]): Promise<string> =>
    runProgram(program ?? "", ["--retries", "1", "--low-level-retries", "1", ...args], options());

  it("copies a tree in and out, with times, and finds nothing to do the second time", async () => {
    const files: Record<string, Buffer> = {
      "a.txt": Buffer.from("hello"),
      empty: Buffer.alloc(0),
      "deep/er/ä ö+%.bin": randomBytes(300_000),
      "deep/\u{1F600}": randomBytes(2_000_000),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = at("in", name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, content);
      utimesSync(path, 1_600_000_000, 1_600_000_000);
    }
    await rclone("copy", at("in"), "s:tree/sub");
    const listed = (await rclone("lsf", "-R", "--files-only", "s:tree/sub")).trim().split("\n");
    expect(listed.toSorted()).toEqual(Object.keys(files).toSorted());
    await rclone("copy", "s:tree/sub", at("out"));
    for (const [name, content] of Object.entries(files)) {
      expect(readFileSync(at("out", name)).equals(content), name).toBe(true);
      expect(statSync(at("out", name)).mtimeMs).toBe(1_600_000_000_000);
    }
    await rclone("check", at("in"), "s:tree/sub");
    const before = readFileSync(join(frame.s3.data, "state.db")).length;
    await rclone("copy", at("in"), "s:tree/sub");
    expect(readFileSync(join(frame.s3.data, "state.db")).length).toBe(before);
    expect(readdirSync(at("out")).toSorted()).toEqual(["a.txt", "deep", "empty"]);
  });

  it("makes and removes buckets, lists, streams, reads parts and deletes", async () => {
    await rclone("mkdir", "s:made");
    await rclone("mkdir", "s:made");
    expect(await rclone("lsd", "s:")).toContain("made");
    writeFileSync(at("one"), "0123456789");
    await rclone("copyto", at("one"), "s:made/x/one");
    expect(await rclone("cat", "--offset", "3", "--count", "4", "s:made/x/one")).toBe("3456");
    expect(await rclone("ls", "s:made")).toContain("10 x/one");
    await expect(rclone("rmdir", "s:made")).rejects.toThrow();
    await rclone("deletefile", "s:made/x/one");
    expect(await rclone("ls", "s:made")).toBe("");
    await rclone("rmdir", "s:made");
    expect(await rclone("lsd", "s:")).not.toContain("made");
    await rclone("copyto", at("one"), "s:purged/y/one");
    await rclone("purge", "s:purged");
    expect(await rclone("lsd", "s:")).not.toContain("purged");
  });

  it("sends large files and streams by parts, and copies and moves on the server", async () => {
    const byParts = ["--s3-upload-cutoff", "10M", "--s3-chunk-size", "6M", "--s3-copy-cutoff", "10M"];
    await rclone(...byParts, "copyto", at("large"), "s:large/one");
    await runProgram(program ?? "", [...byParts, "rcat", "s:large/piped"], { ...options(), input: LARGE });
    await rclone(...byParts, "copyto", "s:large/one", "s:large/sub/two");
    await rclone(...byParts, "moveto", "s:large/one", "s:large/three");
    expect((await rclone("lsf", "-R", "--files-only", "s:large")).trim().split("\n").toSorted()).toEqual([
      "piped",
      "sub/two",
      "three",
    ]);
    for (const name of ["piped", "sub/two", "three"]) {
      await rclone("copyto", `s:large/${name}`, at("back"));
      expect(readFileSync(at("back")).equals(LARGE), name).toBe(true);
    }
    expect(await rclone("backend", "list-multipart-uploads", "s:large")).not.toContain("Key");
  });

  it("sees and brings back old versions", async () => {
    await rclone("mkdir", "s:versioned");
    expect(await rclone("backend", "versioning", "s:versioned", "Enabled")).toContain("Enabled");
    for (const text of ["first", "second"]) {
      writeFileSync(at("text"), text);
      await rclone("copyto", "--ignore-times", at("text"), "s:versioned/text");
    }
    await rclone("deletefile", "s:versioned/text");
    expect(await rclone("lsf", "s:versioned")).toBe("");
    const versions = (await rclone("--s3-versions", "lsf", "s:versioned")).trim().split("\n");
    expect(versions).toHaveLength(2);
    const texts = await Promise.all(versions.map((name) => rclone("--s3-versions", "cat", `s:versioned/${name}`)));
    expect(texts.toSorted()).toEqual(["first", "second"]);
  });

  it("signs an address that anybody can read with", async () => {
    writeFileSync(at("shared"), "shared");
    await rclone("copyto", at("shared"), "s:linked/a b+ä");
    const address = (await rclone("link", "--expire", "1m", "s:linked/a b+ä")).trim();
    expect(await (await fetch(address)).text()).toBe("shared");
  });
});
