import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type BwrapJob, bwrapArgs } from "./bwrap-args.ts";
import { HostRoot } from "./host-root.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/sluice-root-`);
});
afterEach(() => rmSync(folder, { recursive: true }));

function root(extraPaths: string[] = [], privatePaths: string[] = []): HostRoot {
  return new HostRoot({ runtimeFolder: folder, extraPaths, privatePaths, insideUid: 1000, insideGid: 1000 });
}

/** Option → the paths it is given for. */
function targets(mounts: readonly string[], option: string, argument: number): string[] {
  return mounts.flatMap((word, at) => (word === option ? [mounts[at + argument] ?? ""] : []));
}

describe("HostRoot", () => {
  test("shows programs and libraries, and nothing that holds secrets or sockets", () => {
    const shown = targets(root().mounts(), "--ro-bind", 2);
    expect(shown).toContain("/usr");
    expect(shown).toContain("/etc");
    for (const path of ["/", "/home", "/root", "/run", "/var", "/tmp", "/srv", "/mnt", "/media", "/sys", "/boot"]) {
      expect(shown).not.toContain(path);
    }
  });

  test("/etc is a made folder with the listed files alone", () => {
    const mounts = root().mounts();
    const etc = mounts[mounts.indexOf("/etc") - 1] ?? "";
    const names = readdirSync(etc);
    expect(names).toEqual(expect.arrayContaining(["passwd", "group", "hosts", "resolv.conf"]));
    for (const name of names)
      expect(name).toMatch(
        /^(passwd|group|nsswitch\.conf|ld\.so\..*|alternatives|ssl|fonts|ImageMagick-.*|hosts|resolv\.conf)$/,
      );
    if (existsSync(`${etc}/ssl`)) expect(readdirSync(`${etc}/ssl`)).toEqual(["certs"]);
    expect(readFileSync(`${etc}/passwd`, "utf8")).toMatch(/^sluice:x:1000:1000:/);
    expect(readFileSync(`${etc}/hosts`, "utf8")).toContain("127.0.0.1 localhost");
  });

  test("it is made once, not at every start", () => {
    const made = root();
    const etc = made.mounts()[made.mounts().indexOf("/etc") - 1] ?? "";
    const { ino } = statSync(etc);
    made.mounts();
    expect(statSync(etc).ino).toBe(ino);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("extra paths are shown read-only; those in /etc get a place to be mounted at", () => {
    writeFileSync(`${folder}/tool`, "");
    const mounts = root([`${folder}/tool`, "/etc/hostname"]).mounts();
    expect(targets(mounts, "--ro-bind", 2)).toEqual(expect.arrayContaining([`${folder}/tool`, "/etc/hostname"]));
    const etc = mounts[mounts.indexOf("/etc") - 1] ?? "";
    expect(statSync(`${etc}/hostname`).size).toBe(0);
  });

  test("private folders below shown ones are covered, after them", () => {
    mkdirSync(`${folder}/data`);
    const mounts = root([folder], [`${folder}/data`, "/elsewhere"]).mounts();
    expect(targets(mounts, "--tmpfs", 1)).toEqual([`${folder}/data`]);
    expect(mounts.lastIndexOf(`${folder}/data`)).toBeGreaterThan(mounts.lastIndexOf(folder));
  });

  test.each([
    ["relative", "relative/path"],
    ["the whole machine", "/"],
    ["not normal", "/usr/../root"],
    ["absent", "/no/such/path"],
  ])("an extra path is refused: %s", (_, path) => {
    expect(() => root([path])).toThrow(/Cannot show '.*' to scripts/);
  });

  test("an extra path inside the data directory is refused", () => {
    mkdirSync(`${folder}/data/inner`, { recursive: true });
    expect(() => root([`${folder}/data/inner`], [`${folder}/data`])).toThrow(/is private/);
  });
});

describe("bwrapArgs", () => {
  const job: BwrapJob = {
    wholeRoot: null,
    resolvConf: null,
    root: ["--ro-bind", "/usr", "/usr"],
    mounts: [
      { kind: "folder", source: "/data/work", target: "/work", readOnly: false },
      { kind: "blob", source: "/data/blob", target: "/work/in/a b", readOnly: true },
    ],
    workingDirectory: "/work",
    env: { NAME: "two words\nand a line" },
    network: "none",
    hostname: "node",
    insideUid: 1000,
    insideGid: 1000,
    disablesUserns: true,
    sharedMemoryBytes: null,
    visiblePath: (path) => path.replace("/data", "/seen"),
  };
  const words = (changes: Partial<BwrapJob> = {}): string[] =>
    bwrapArgs({ ...job, ...changes })
      .toString()
      .split("\0");

  test("every namespace is new, and further ones are forbidden", () => {
    for (const kind of ["user", "pid", "net", "ipc", "uts"]) expect(words()).toContain(`--unshare-${kind}`);
    expect(words()).toContain("--disable-userns");
    expect(words({ network: "host" })).not.toContain("--unshare-net");
  });

  test("mounts come in order, by the path that the sandbox's user has", () => {
    const text = words().join(" ");
    expect(text).toContain("--bind /seen/work /work --ro-bind /seen/blob /work/in/a b --remount-ro /");
  });

  test("only the given environment is set, after everything inherited is dropped", () => {
    const all = words();
    expect(all.slice(all.indexOf("--clearenv"))).toEqual([
      "--clearenv",
      "--setenv",
      "NAME",
      "two words\nand a line",
      "",
    ]);
  });

  test("a target that is no plain absolute path is refused", () => {
    for (const target of ["relative", "/work/../etc", "/nul\0byte"]) {
      expect(() => words({ mounts: [{ kind: "blob", source: "/data/b", target, readOnly: true }] })).toThrow(
        /Cannot mount at/,
      );
    }
  });
});
