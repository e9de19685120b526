import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunOptions, type RunResult, SandboxBench } from "../../testing/sandbox-bench.ts";
import { giveToImages, IMAGES_UID, imageRoot, makeLayers } from "../../testing/test-image.ts";

const isRoot = process.geteuid?.() === 0;

describe("a root that is an image", () => {
  let bench: SandboxBench;
  let layers: string[];

  beforeAll(async () => {
    bench = await SandboxBench.open("bubblewrap");
    mkdirSync(`${bench.folder}/layers`);
    layers = makeLayers(`${bench.folder}/layers`);
  });
  afterAll(() => bench.close());

  async function run(
    script: string,
    options: RunOptions & { user?: string; layers?: string[] } = {},
  ): Promise<RunResult> {
    const workFolder = bench.workFolder();
    const root = imageRoot(options.layers ?? layers, options.user);
    return await bench.run(script, { ...options, root }, workFolder);
  }

  test("shows the layers, the upper over the lower, and nothing of this machine", async () => {
    const { out, exitCode } = await run("cat /usr/share/base /usr/share/more /etc/passwd; ls /; ls /usr");
    expect(exitCode).toBe(0);
    expect(out).toContain("base\nmore\nroot:x:0:0");
    expect(out).not.toContain("old:x:5");
    const top = out.split("\n").slice(4);
    expect(top).toEqual(["bin", "dev", "etc", "lib", "lib64", "proc", "sys", "tmp", "usr", "work", "share", ""]);
  });

  test("can be written everywhere, and the next sandbox sees nothing of it", async () => {
    const changes =
      "echo more >>/usr/share/base; rm /usr/share/more; mkdir /opt; echo x >/opt/x; cat /usr/share/base; ls /usr/share /opt";
    expect(await run(changes)).toMatchObject({ exitCode: 0, out: "base\nmore\n/opt:\nx\n\n/usr/share:\nbase\n" });
    expect(await run("ls /usr/share; ls -d /opt")).toMatchObject({ out: expect.stringContaining("base\nmore\n") });
    expect((await run("ls -d /opt")).exitCode).not.toBe(0);
    expect(readFileSync(`${layers[0]}/usr/share/base`, "utf8")).toBe("base\n");
  });

  test("USER is honoured, by number and by the image's own accounts", async () => {
    const ids = "id -u; id -g";
    expect(await run(ids)).toMatchObject({ out: "0\n0\n" });
    expect(await run(ids, { user: "1234" })).toMatchObject({ out: "1234\n0\n" });
    expect(await run(ids, { user: "1234:55" })).toMatchObject({ out: "1234\n55\n" });
    expect(await run(ids, { user: "worker" })).toMatchObject({ out: "33\n44\n" });
    expect(await run(ids, { user: "worker:staff" })).toMatchObject({ out: "33\n77\n" });
    await expect(run(ids, { user: "old" })).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
  });

  test("has no capability and no way to mount, whoever the user is inside", async () => {
    const { out } = await run("cat /proc/self/status; cat /proc/self/uid_map");
    expect(out).toMatch(/CapEff:\s0000000000000000/);
    expect(out).toMatch(/CapBnd:\s0000000000000000/);
    expect(out).toMatch(/NoNewPrivs:\s1/);
  });

  test("a change of the root is gone with its sandbox; without one the next sandbox in the slot has the same mount", async () => {
    for (const changing of [
      "echo x >/opt-file",
      "mkdir -p /usr/share/d/e",
      "rm -r /usr/share",
      ": >>/usr/share/base",
    ]) {
      await run(changing);
      const { out } = await run("ls / /usr/share; cat /usr/share/base");
      expect(out).not.toMatch(/opt-file|^d$/m);
      expect(out).toContain("base\nmore\nbase\n");
    }
    expect(readdirSync(`${bench.folder}/.root-0/upper`)).toEqual([]);
  });

  describe("reuse", () => {
    const note = (name: string): string => `echo ${name} >>/usr/share/notes`;
    const read = "cat /usr/share/notes 2>/dev/null; true";
    const own = { tenant: "reuses", reuse: true } as const;

    test("the same tenant finds what the last one changed in the same image, nobody else does", async () => {
      await run(note("first"), own);
      expect((await run(`${note("second")}; ${read}`, own)).out).toBe("first\nsecond\n");
      for (const other of [
        { tenant: "other", reuse: true },
        { tenant: "other" },
        { tenant: "reuses" },
        { ...own, user: "worker" },
      ]) {
        expect((await run(read, other)).out).toBe("");
      }
      expect((await run(read, own)).out).toBe("first\nsecond\n");
    });

    test("what a job that failed, or was ended, changed is gone", async () => {
      await run(`${note("failed")}; exit 3`, { ...own, tenant: "fails" });
      expect((await run(read, { ...own, tenant: "fails" })).out).toBe("");
      await run(`${note("ended")}; sleep 9`, { ...own, tenant: "fails", limits: { wallMs: 200 } });
      expect((await run(read, { ...own, tenant: "fails" })).out).toBe("");
    });

    test("jobs side by side have slots, and so changes, of their own", async () => {
      const both = { ...own, tenant: "both" };
      const results = await Promise.all([1, 2].map((n) => run(`${note(`job${n}`)}; sleep 0.3; ${read}`, both)));
      expect(results.map(({ out }) => out)).toEqual(["job1\n", "job2\n"]);
    });

    test("where no more slots may be made, changes of others are cleared before a job has the slot", async () => {
      const small = await SandboxBench.open("bubblewrap", { uidCount: isRoot ? 16 : 1, uidBase: 300_000 });
      const root = imageRoot(layers);
      for (let n = 0; n < 16; n++) await small.run(note(`of-${n}`), { root, tenant: `t${n}`, reuse: true });
      for (let n = 0; n < 8; n++) {
        const { out } = await small.run(read, { root, tenant: `u${n}`, reuse: n % 2 === 0 });
        expect(out).toBe("");
      }
      await small.close();
    });
  });

  test("the working directory is made where the image has none, and a link there is left", async () => {
    const options = { workingDirectory: "/usr/new/deep" };
    expect(await run("ls -d /usr/new/deep; cat /usr/share/base; echo x >file; ls", options)).toMatchObject({
      exitCode: 0,
      out: "/usr/new/deep\nbase\nfile\n",
    });
    expect((await run("ls /usr/new")).exitCode).not.toBe(0);
  });

  test("what it changes counts as its disk", async () => {
    const script = "i=0; while [ $i -lt 12 ]; do cat /bin/* >>/usr/share/large; i=$((i+1)); done; sleep 5";
    expect(await run(script, { limits: { diskBytes: 2 ** 22 } })).toMatchObject({ limit: "disk" });
  });

  test.each([
    ["/etc", "etc"],
    ["/tmp", "tmp"],
    ["/proc", "proc"],
    ["/dev", "dev"],
    ["the folder of the job", "work"],
  ])("a link of the image at %s leads nowhere", async (_, name) => {
    const parent = `${bench.folder}/evil-${name}`;
    const [programs, outside] = [`${parent}/cccc`, `${bench.folder}/outside-${name}`];
    mkdirSync(programs, { recursive: true });
    mkdirSync(outside, { mode: 0o777 });
    chmodSync(outside, 0o777);
    cpSync(layers[0] ?? "", programs, { recursive: true, verbatimSymlinks: true });
    execFileSync("rm", ["-rf", `${programs}/${name}`]);
    symlinkSync(`/../../oldroot${outside}`, `${programs}/${name}`);
    giveToImages(parent);
    const { exitCode } = await run("echo done", { layers: [programs] });
    expect(exitCode).toBe(0);
    expect(readdirSync(outside)).toEqual([]);
  });

  test.runIf(isRoot)("runs as a user of this machine who is neither root nor the owner of images", async () => {
    const uids: number[] = [];
    await run("sleep 5", {
      whileRunning: async (instance) => {
        for (let tries = 0; uids.length === 0 && tries < 500; tries++) {
          const pids = (instance as unknown as { hostProcesses(): number[] }).hostProcesses();
          for (const pid of pids) uids.push(lstatSync(`/proc/${pid}`).uid);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await instance.stop(0);
      },
    });
    expect(uids.length).toBeGreaterThan(0);
    for (const uid of uids) {
      expect(uid).toBeGreaterThanOrEqual(200_000);
      expect(uid).not.toBe(IMAGES_UID);
    }
  });

  test("layers that went and came again, under the same names, are mounted anew", async () => {
    const place = `${bench.folder}/again`;
    // Each looks for names that no one before has, which the kernel may still know.
    for (const script of [":", "cat /usr/share/base", "ls /usr/share", "id -u"]) {
      mkdirSync(place);
      const again = makeLayers(place);
      expect(await run(script, { layers: again })).toMatchObject({ exitCode: 0 });
      rmSync(place, { recursive: true });
    }
  });

  test("layers that are gone are said so", async () => {
    await expect(run("true", { layers: [`${bench.folder}/layers/none`] })).rejects.toMatchObject({
      code: "SANDBOX_UNAVAILABLE",
      message: expect.stringContaining("layers are gone"),
    });
  });

  test("slots change between roots, and side by side", async () => {
    const all = Array.from({ length: 12 }, async (_, n) =>
      n % 2 === 0 ? (await run(`echo ${n}`)).out : (await bench.run(`echo ${n}`)).out,
    );
    expect(await Promise.all(all)).toEqual(Array.from({ length: 12 }, (_, n) => `${n}\n`));
  });
});
