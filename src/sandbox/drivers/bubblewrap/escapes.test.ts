import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunOptions, SandboxBench } from "../../testing/sandbox-bench.ts";
import { machineImage } from "./image-root-test.ts";

/** Each attempt prints the treasure when it succeeds. It is made in a real sandbox, where it must not, and once more with its guard
 *  off, where it must: otherwise the attempt itself would be broken and prove nothing. */
const TREASURE = `treasure-${process.pid}`;
const HIT = `echo ${TREASURE}`;

/** Without root there is nothing to take on most of these ways: the control runs could not succeed. */
describe.runIf(process.geteuid?.() === 0).each(["host", "image"] as const)(
  "escapes from a root of the kind %s",
  (kind) => {
    /** Guards on. */
    let bench: SandboxBench;
    /** Guards off, as far as the configuration can: the machine's network, and the tests' own folder visible. */
    let open: SandboxBench;
    const servers: Server[] = [];
    const files: string[] = [];

    beforeAll(async () => {
      bench = await SandboxBench.open("bubblewrap");
      open = await SandboxBench.open("bubblewrap", {
        allowHostNetwork: true,
        extraPaths: [bench.folder],
        privatePaths: [],
      });
    });
    afterAll(async () => {
      for (const server of servers) server.close();
      for (const file of files) rmSync(file, { force: true });
      await open.close();
      await bench.close();
    });

    /** A file that everybody on the machine may read. */
    function treasure(path: string): string {
      mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o755 });
      writeFileSync(path, TREASURE);
      files.push(path);
      return path;
    }

    async function listen(where: string | number): Promise<Server> {
      const server = createServer((socket) => socket.end(TREASURE));
      servers.push(server);
      if (typeof where === "number") server.listen(where, "127.0.0.1");
      else server.listen(where);
      await once(server, "listening");
      if (typeof where === "string" && where.startsWith("/")) {
        chmodSync(where, 0o777);
        files.push(where);
      }
      return server;
    }

    /** An image with this machine's own programs, so that the same attempts can be made there. */
    const inRoot = (options: RunOptions): RunOptions => {
      if (kind === "host") return options;
      const { root, mounts } = machineImage(`${bench.folder}/layers`);
      return { ...options, root, mounts: [...mounts, ...(options.mounts ?? [])] };
    };
    const inside = async (script: string, options: RunOptions = {}): Promise<string> =>
      (await bench.run(script, inRoot(options))).out;
    const withHostNetwork = async (script: string): Promise<string> =>
      (await open.run(script, { network: "host" })).out;

    /** As root on the machine, with no sandbox. */
    function outside(script: string): string {
      return execFileSync("/bin/sh", ["-c", script], {
        encoding: "utf8",
        cwd: tmpdir(),
        stdio: ["ignore", "pipe", "ignore"],
      });
    }

    async function refused(script: string, control: string | Promise<string>, options: RunOptions = {}): Promise<void> {
      expect(await control).toContain(TREASURE);
      expect(await inside(script, options)).not.toContain(TREASURE);
    }

    test.each([
      "/home/sluice-escape",
      `${homedir()}/sluice-escape`,
      "/run/sluice-escape",
      "/var/tmp/sluice-escape",
      "/srv/sluice-escape",
    ])("a file in %s", async (path) => {
      const script = `cat ${treasure(`${path}-${process.pid}`)}`;
      await refused(script, outside(script));
    });

    test("/etc/shadow, and files of /etc that are not listed", async () => {
      for (const path of ["/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/etc/sudoers", "/etc/ssh"].filter(
        (path) => existsSync(path),
      )) {
        const script = `[ -e ${path} ] && ${HIT}`;
        await refused(script, outside(script));
      }
    });

    test("the data directory, even where a shown folder holds it", async () => {
      const path = treasure(`${open.folder}/data/admin.json`);
      const script = `cat ${path}`;
      const shown = await SandboxBench.open("bubblewrap", { extraPaths: [open.folder], privatePaths: [] });
      const hidden = await SandboxBench.open("bubblewrap", {
        extraPaths: [open.folder],
        privatePaths: [`${open.folder}/data`],
      });
      expect((await shown.run(script)).out).toContain(TREASURE);
      expect((await hidden.run(script)).out).not.toContain(TREASURE);
      await refused(script, outside(script));
      await shown.close();
      await hidden.close();
    });

    test("another job's files", async () => {
      const workFolder = bench.workFolder();
      const script = `cat ${workFolder}/result || cat /proc/*/root/work/result`;
      const other = bench.run(
        `printf ${TREASURE} >new; mv new result; sleep 1`,
        {
          ...inRoot({}),
          whileRunning: async () => {
            while (!existsSync(`${workFolder}/result`)) await sleep(5);
            await refused(script, outside(script));
          },
        },
        workFolder,
      );
      await other;
    });

    test.each([`/run/sluice-escape-${process.pid}.sock`, `${tmpdir()}/sluice-escape-${process.pid}.sock`])(
      "a Unix socket at %s",
      async (path) => {
        await listen(path);
        const script = perl(`socket(S, 1, 1, 0); connect(S, pack("S a*", 1, "${path}")) and print <S>`);
        await refused(script, await concurrently(script));
      },
    );

    test("a Unix socket without a path", async () => {
      await listen(`\0sluice-escape-${process.pid}`);
      const script = perl(
        `socket(S, 1, 1, 0); connect(S, pack("S a*", 1, "\\0sluice-escape-${process.pid}")) and print <S>`,
      );
      await refused(script, await withHostNetwork(script));
    });

    test("a server on the machine's loopback", async () => {
      const address = (await listen(0)).address();
      const port = typeof address === "object" ? address?.port : 0;
      const script = perl(`socket(S, 2, 1, 0); connect(S, pack("S n C4 x8", 2, ${port}, 127, 0, 0, 1)) and print <S>`);
      await refused(script, await withHostNetwork(script));
    });

    test("raw packets", async () => {
      const script = perl(`socket(S, 17, 3, 0) and print "${TREASURE}"`);
      await refused(script, outside(script));
    });

    test("the machine's processes in /proc", async () => {
      const script = `grep -aq ${process.pid} /proc/${process.pid}/stat && ${HIT}`;
      await refused(script, outside(script));
      const seen = await inside("ls -d /proc/[0-9]* | wc -l");
      expect(Number(seen)).toBeLessThan(10);
    });

    test("the server's environment", async () => {
      const script = `tr "\\0" "\\n" </proc/1/environ | cat - /proc/self/environ | grep -aq SLUICE_ESCAPE && ${HIT}`;
      process.env.SLUICE_ESCAPE = "a secret of the server";
      await refused(
        script,
        execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
      );
      delete process.env.SLUICE_ESCAPE;
    });

    test("killing a process of the machine", async () => {
      const victim = spawn("sleep", ["300"]);
      const script = `kill -KILL ${victim.pid} && ${HIT}`;
      expect(await inside(script)).not.toContain(TREASURE);
      expect(victim.exitCode ?? victim.signalCode).toBeNull();
      expect(outside(script)).toContain(TREASURE);
      await once(victim, "exit");
    });

    test("killing everything in reach ends only the sandbox", async () => {
      await inside("kill -KILL 0; kill -KILL -1");
      await inside("kill -KILL -1");
      expect(await inside("echo well")).toBe("well\n");
    });

    test("tracing a process of the machine", async () => {
      const victim = spawn("sleep", ["300"], { uid: 65_534, gid: 65_534 });
      // PTRACE_ATTACH is 16.
      const script = perl(`syscall(${PTRACE}, 16, ${victim.pid}, 0, 0) == 0 and print "${TREASURE}"`);
      await refused(script, outside(script));
      victim.kill("SIGKILL");
    });

    test("set-user-id programs", async () => {
      const path = `${bench.folder}/id-of-root`;
      copyFileSync("/usr/bin/id", path);
      chownSync(path, 0, 0);
      chmodSync(path, 0o4755);
      const script = `[ "$(${path} -u)" = 0 ] && ${HIT}`;
      const control = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", uid: 65_534, gid: 65_534 });
      expect(control).toContain(TREASURE);
      expect((await open.run(script)).out).not.toContain(TREASURE);
    });

    test.each(["/usr/local", "/usr/bin", "/etc", "/"])("writing in %s", async (folder) => {
      const path = `${folder}/sluice-escape-${process.pid}`;
      const script = `: >${path} && rm ${path} && ${HIT}`;
      if (kind === "host" || folder.startsWith("/usr")) return await refused(script, outside(script));
      // An image's root may be written, and nothing of it is seen on the machine.
      await inside(`echo ${TREASURE} >${path}; sync`);
      expect(existsSync(path)).toBe(false);
    });

    test.each([
      ["what the kernel starts for a crash", "[ -w /proc/sys/kernel/core_pattern ]"],
      [
        "what the kernel starts for an empty group",
        "ls /sys/fs/cgroup/*/release_agent || ls /sys/fs/cgroup/cgroup.procs",
      ],
      ["another root", "chroot / true"],
      ["mounts of its own", "unshare -m true"],
      ["a network of its own", "unshare -n true"],
      ["processes' priorities", "renice -n -5 $$"],
      ["devices of disks", "ls /dev/vd? || ls /dev/sd? || ls /dev/nvme*"],
      ["devices for networks", "[ -e /dev/net/tun ]"],
      ["the machine's hardware", "ls /sys/class/net"],
      ["rights on files of others", "f=$(mktemp); chown 1 $f"],
    ])("%s", async (_, script) => {
      const attempt = `{ ${script}; } >/dev/null 2>&1 && ${HIT}`;
      await refused(attempt, outside(attempt));
    });

    /** Some machines refuse these to root as well: there is no control run that must succeed. */
    test.each([
      ["the machine's memory", "head -c 1 /proc/kcore >/dev/null"],
      ["the keys of the machine's console", "[ -w /proc/sysrq-trigger ]"],
      ["the namespaces of the first process", "nsenter -t 1 -m true"],
      ["the root of the first process", "ls /proc/1/root/root/../etc/shadow"],
      ["parts of the kernel", `perl -e '${MODULE}' | grep -q would-load`],
    ])("%s, which the kernel may refuse to everybody", async (_, script) => {
      expect(await inside(`{ ${script}; } >/dev/null 2>&1 && ${HIT}`)).not.toContain(TREASURE);
    });

    test("writing through a read-only mount", async () => {
      const source = treasure(`${bench.folder}/blob`);
      chmodSync(source, 0o666);
      const mount = { kind: "blob", source, target: "/work/in", readOnly: true } as const;
      const script = `echo ${TREASURE} >/work/in; mount -o remount,rw,bind /work/in; echo ${TREASURE} >>/work/in; ln /work/in /work/link`;
      writeFileSync(source, "clean");
      await inside(script, { mounts: [mount] });
      expect(readFileSync(source, "utf8")).toBe("clean");
      await inside(script, { mounts: [{ ...mount, readOnly: false }] });
      expect(readFileSync(source, "utf8")).toContain(TREASURE);
    });

    test("devices: making one, and those of the machine", async () => {
      const make = `rm -f disk-${process.pid}; mknod disk-${process.pid} b 8 0 && rm disk-${process.pid} && ${HIT}`;
      await refused(make, outside(make));
      const find = `for d in /dev/mem /dev/kmsg /dev/vda /dev/sda /dev/fuse; do [ -e $d ] && ${HIT}; done; true`;
      await refused(find, outside(find));
    });

    test("mounting", async () => {
      const script = `mkdir -p m && mount -t tmpfs none m && umount m && ${HIT}`;
      await refused(script, outside(`cd "$(mktemp -d)"; ${script}`));
    });

    test("user namespaces of its own", async () => {
      const script = `unshare -U true && ${HIT}`;
      await refused(script, outside(script));
    });

    test.each([
      [
        "keyrings, which a session leaves to all it starts",
        `my ($t, $n, $v) = qw(user sluice x); syscall(${CALLS.addKey}, $t, $n, $v, 1, -3) > 0`,
      ],
      ["sockets to the virtual machine monitor", "socket(S, 40, 1, 0)"],
      ["rings that make calls for it", `my $p = "\\0" x 120; syscall(${CALLS.ringSetup}, 4, $p) > 0`],
      ["programs in the kernel", `my $p = pack("L4", 2, 4, 4, 1) . "\\0" x 112; syscall(${CALLS.bpf}, 0, $p, 128) > 0`],
      ["the kernel's log", `my $b = "\\0" x 4096; syscall(${CALLS.syslog}, 3, $b, 4096) >= 0`],
      [
        "counters of the processor",
        `my $a = pack("L2", 1, 112) . "\\0" x 104; syscall(${CALLS.perf}, $a, 0, -1, -1, 0) > 0`,
      ],
      ["faults of memory", `syscall(${CALLS.userFaults}, 0) > 0`],
      [
        "handles of files",
        `my ($n, $h, $m) = (".", pack("L2", 128, 0) . "\\0" x 128, "\\0" x 4); syscall(${CALLS.handle}, -100, $n, $h, $m, 0) == 0`,
      ],
      [
        "attributes on files",
        `my ($p, $n, $v) = qw(. user.sluice x); syscall(${CALLS.setAttribute}, $p, $n, $v, 1, 0) == 0`,
      ],
    ])("%s", async (_, call) => {
      const script = perl(`${call} and print "${TREASURE}"`);
      await refused(script, outside(`cd "$(mktemp -d /var/tmp/sluice-XXXXXX)" && ${script}; rmdir "$PWD"`));
    });

    test("calls in another processor's numbers", async () => {
      const x32 = perl(`syscall(0x40000000 + 39) > 0 or print "refused"`);
      expect(await inside(x32)).toBe("refused");
    });

    test("changing the machine's settings", async () => {
      const path = "/proc/sys/kernel/domainname";
      const script = `cat ${path} >/dev/null && cat ${path} | tee ${path} >/dev/null && ${HIT}`;
      await refused(script, outside(script));
      expect(await inside(`[ -e /sys/fs/cgroup ] && ${HIT}`)).not.toContain(TREASURE);
    });

    /** The control's server lives in this process: it must not be blocked meanwhile. */
    async function concurrently(script: string): Promise<string> {
      const child = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
      let said = "";
      child.stdout.on("data", (chunk) => {
        said += chunk;
      });
      await once(child, "close");
      return said;
    }
  },
);

/** The number of the system call on this processor. */
const PTRACE = process.arch === "x64" ? 101 : 117;
const CALLS =
  process.arch === "x64"
    ? {
        addKey: 248,
        ringSetup: 425,
        bpf: 321,
        setAttribute: 188,
        syslog: 103,
        perf: 298,
        userFaults: 323,
        handle: 303,
        module: 175,
      }
    : {
        addKey: 217,
        ringSetup: 425,
        bpf: 280,
        setAttribute: 5,
        syslog: 116,
        perf: 241,
        userFaults: 282,
        handle: 264,
        module: 105,
      };

/** ENOEXEC (8) says that a module was looked at. */
const MODULE = `my ($i, $o) = ("x" x 64, ""); syscall(${CALLS.module}, $i, 64, $o); $! + 0 == 8 and print "would-load"`;

/** Every Debian has perl; single quotes must not stand in the program. */
function perl(program: string): string {
  return `perl -e '${program}'`;
}
