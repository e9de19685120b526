import { once } from "node:events";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseRemotePath } from "./remote-path.ts";
import { testFolder } from "./testing/folder.ts";
import { planUploads } from "./upload-plan.ts";

const plan = async (paths: string[], target: string) => {
  const { files, skipped } = await planUploads(paths, parseRemotePath(target));
  return { keys: files.map((file) => file.key), sizes: files.map((file) => file.sizeBytes), skipped };
};

async function tree(): Promise<string> {
  const folder = await testFolder();
  await mkdir(join(folder, "pics/deep"), { recursive: true });
  await writeFile(join(folder, "pics/a.jpg"), "aa");
  await writeFile(join(folder, "pics/deep/b ä.jpg"), "bbb");
  await writeFile(join(folder, "one.txt"), "1");
  return folder;
}

describe("parseRemotePath", () => {
  it.each([
    ["photos", { bucket: "photos", key: "", isFolder: true }],
    ["photos/", { bucket: "photos", key: "", isFolder: true }],
    ["photos/in/", { bucket: "photos", key: "in/", isFolder: true }],
    ["s3://photos/in/a.jpg", { bucket: "photos", key: "in/a.jpg", isFolder: false }],
    ["photos//a", { bucket: "photos", key: "/a", isFolder: false }],
    ["photos/../x", { bucket: "photos", key: "../x", isFolder: false }],
  ])("%s", (text, parsed) => expect(parseRemotePath(text)).toEqual(parsed));

  it("refuses what can be no bucket and no key", () => {
    expect(() => parseRemotePath("Photos/a")).toThrow('"Photos" as a bucket name');
    expect(() => parseRemotePath("")).toThrow("bucket name");
    expect(() => parseRemotePath(`photos/${"k".repeat(1025)}`)).toThrow("1025 bytes");
  });
});

describe("planUploads", () => {
  it("keeps the structure of folders and the names of files", async () => {
    const folder = await tree();
    const { keys, sizes } = await plan([join(folder, "pics"), join(folder, "one.txt")], "photos/in/");
    expect(keys).toEqual(["in/a.jpg", "in/deep/b ä.jpg", "in/one.txt"]);
    expect(sizes).toEqual([2, 3, 1]);
  });

  it("gives one file the exact key", async () => {
    const folder = await tree();
    expect((await plan([join(folder, "one.txt")], "photos/x/key.txt")).keys).toEqual(["x/key.txt"]);
    expect((await plan([join(folder, "one.txt")], "photos")).keys).toEqual(["one.txt"]);
  });

  it("asks for the slash where a folder is needed", async () => {
    const folder = await tree();
    await expect(plan([join(folder, "pics")], "photos/x")).rejects.toThrow("end the target with a slash: photos/x/");
    await expect(plan([join(folder, "one.txt"), join(folder, "one.txt")], "photos/x")).rejects.toThrow("several files");
  });

  it("refuses two files for one key, missing files and empty folders", async () => {
    const folder = await tree();
    await writeFile(join(folder, "pics/one.txt"), "2");
    await mkdir(join(folder, "empty"));
    await expect(plan([join(folder, "pics"), join(folder, "one.txt")], "p12/x/")).rejects.toThrow(
      'both would become "x/one.txt"',
    );
    await expect(plan([join(folder, "gone")], "p12/x/")).rejects.toThrow(/gone": there is no such file or folder/);
    await expect(plan([join(folder, "empty")], "p12/x/")).rejects.toThrow("there is no file in it");
  });

  it("follows links to files and says what it skips", async () => {
    const folder = await tree();
    await symlink("../one.txt", join(folder, "pics/link.txt"));
    await symlink("..", join(folder, "pics/loop"));
    await symlink("nowhere", join(folder, "pics/broken"));
    const socket = createServer().listen(join(folder, "pics/socket"));
    onTestFinished(() => void socket.close());
    await once(socket, "listening");
    await writeFile(Buffer.concat([Buffer.from(join(folder, "pics/")), Buffer.from([0x62, 0xff])]), "x");
    const { keys, skipped } = await plan([join(folder, "pics")], "photos");
    expect(keys).toEqual(["a.jpg", "deep/b ä.jpg", "link.txt"]);
    const reasons = skipped.map((line) => line.replace(/^Skipped ".*": /, "")).toSorted();
    expect(reasons).toEqual([
      "it is a link to a folder",
      "it is no regular file",
      "its name is not valid UTF-8",
      "the link leads nowhere",
    ]);
  });
});
