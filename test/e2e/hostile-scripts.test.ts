import { readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { allJobs, applyServices, type JobRow, s3Of, settled } from "../support/workflow.ts";

/** Scripts that fail, flood, fork and forge, through the real server: FAILED with the reason (or the safe part kept), and nothing left behind. */

interface Case {
  readonly name: string;
  readonly script: string;
  readonly more?: Readonly<Record<string, string>>;
  /** Null for a job that succeeds. */
  readonly reason: string | null;
  readonly outputs?: readonly string[];
  /** What its log or message must say. */
  readonly says?: RegExp;
  readonly exit?: number;
  readonly signal?: string;
}

const CASES: readonly Case[] = [
  {
    name: "exits-3",
    script: "echo before; echo x > $TMP_OUTPUT_DIR/partial; echo sorry >&2; exit 3",
    reason: "exit",
    exit: 3,
    says: /sorry/,
  },
  { name: "kills-itself", script: "kill -9 $$", reason: "signal", says: /SIGKILL/ },
  { name: "sleeps", script: "sleep 600", more: { timeout: "1s" }, reason: "timeout", says: /timeout/i },
  {
    name: "ignores-term",
    script: "trap '' TERM; while :; do sleep 1; done",
    more: { timeout: "1s" },
    reason: "timeout",
  },
  {
    name: "forks",
    script: "i=0; while [ $i -lt 10000 ]; do sleep 300 & i=$((i+1)); done; exit 9",
    more: { timeout: "60s", memory: "2Gi" },
    reason: "pids",
  },
  {
    name: "eats-memory",
    script: "head -c 300m /dev/zero | tail",
    more: { memory: "64Mi" },
    reason: "memory",
    says: /64Mi/,
  },
  {
    name: "fills-disk",
    script: "while :; do head -c 10000000 /dev/zero >> $TMP_OUTPUT_DIR/big; done",
    more: { disk: "50Mi" },
    reason: "disk",
  },
  {
    name: "fills-many",
    script: "i=0; while :; do i=$((i+1)); head -c 5000000 /dev/zero > $TMPDIR/$i; done",
    more: { disk: "50Mi" },
    reason: "disk",
  },
  {
    name: "makes-files",
    script: "cd $TMPDIR; i=0; while :; do i=$((i+1)); mkdir $i; (cd $i; seq 1 2000 | xargs touch); done",
    more: { timeout: "300s" },
    reason: "files",
  },
  { name: "logs-100mb", script: "yes 0123456789012345678901234567890 | head -c 100000000", reason: null, outputs: [] },
  {
    name: "leaves-running",
    script: "sleep 1000 & (setsid sleep 1000 &) ; echo done > $TMP_OUTPUT_DIR/done.txt",
    reason: null,
    outputs: ["done.txt"],
    says: /background/,
  },
  {
    name: "odd-outputs",
    script:
      "cd $TMP_OUTPUT_DIR; echo fine > fine.txt; ln -s /etc/passwd passwd; ln -s ../../../../../../etc/shadow up; ln -s /etc etc; mkfifo pipe; " +
      'python3 -c "import socket; s=socket.socket(socket.AF_UNIX); s.bind(\\"sock\\")" || :; echo s > suid.txt; chmod 6755 suid.txt; mkdir -p a/b; echo deep > a/b/c.txt; chmod 000 a/b/c.txt; chmod 000 a',
    reason: null,
    outputs: ["a/b/c.txt", "fine.txt", "suid.txt"],
    says: /3 symbolic links/,
  },
  { name: "bad-name", script: "cd $TMP_OUTPUT_DIR; echo x > $(printf 'a\\377b')", reason: "output_name" },
  {
    name: "unreadable",
    script: "umask 777; echo x > $TMP_OUTPUT_DIR/locked.txt",
    reason: null,
    outputs: ["locked.txt"],
  },
  {
    name: "removes-all",
    script: "rm -rf $TMP_INPUT_DIR $TMP_OUTPUT_DIR $HOME $TMPDIR 2>/dev/null; exit 0",
    reason: null,
    outputs: [],
  },
  {
    name: "hard-links",
    script: 'ln "$INPUT_FILE_PATH" $TMP_OUTPUT_DIR/link 2>/dev/null; cd $TMP_OUTPUT_DIR; echo x > one; ln one two',
    reason: null,
    outputs: ["one", "two"],
  },
];

/** User ids that no other server on this machine gives to its sandboxes. */
const UID_BASE = 1_000_000 + process.pid * 256;

let server: RunningServer;
let isStopped = false;
const jobs = new Map<string, JobRow>();

beforeAll(async () => {
  server = await startServer({ env: { SLUICE_SLOTS_UID_BASE: String(UID_BASE) } });
  await applyServices(
    server,
    CASES.map(({ name, script, more = {} }) => ({
      name,
      script: `${script}\n`,
      input: `${name}/in`,
      output: `${name}/out`,
      more: { cpu: "'0.1'", memory: "256Mi", ...more },
    })),
  );
  const s3 = s3Of(server);
  for (const { name } of CASES)
    await s3.send(new PutObjectCommand({ Bucket: name, Key: "in/input.txt", Body: "input" }));
  for (const job of await settled(server, 400_000)) jobs.set(job.service, job);
}, 500_000);

afterAll(() => (isStopped ? undefined : server?.stop()));

/** Command lines of what runs under the user ids of this server's sandboxes. */
function sandboxProcesses(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      return uid >= UID_BASE && uid < UID_BASE + 256 ? [readFileSync(`/proc/${pid}/cmdline`, "latin1")] : [];
    } catch {
      return [];
    }
  });
}

/** What a server keeps warm between jobs: no part of a job is in it. */
const isLauncher = (commandLine: string): boolean => commandLine.startsWith("/bin/sh\0-c\0d=$1\necho born");

describe("a script that", () => {
  it.each(CASES)("$name", async ({ name, reason, outputs, says, exit, signal }) => {
    const job = jobs.get(name);
    expect(job, job?.message).toMatchObject(reason === null ? { state: "SUCCEEDED" } : { state: "FAILED", reason });
    if (exit !== undefined) expect(job?.exit_code).toBe(exit);
    if (signal !== undefined) expect(job?.signal).toBe(signal);
    const listed = await s3Of(server).send(new ListObjectsV2Command({ Bucket: name, Prefix: "out/" }));
    expect(listed.Contents?.map((object) => object.Key?.slice("out/".length)) ?? []).toEqual(
      reason === null ? outputs : [],
    );
    if (says) {
      const log = await server.cli(["logs", job?.id ?? ""]);
      expect(`${job?.message}\n${log.stdout}`).toMatch(says);
    }
  });

  it("keeps head and tail of a log of 100 MB", async () => {
    const log = await server.cli(["logs", jobs.get("logs-100mb")?.id ?? ""]);
    expect(log.code).toBe(0);
    expect(log.stdout.length).toBeGreaterThan(50_000_000);
    expect(log.stdout.length).toBeLessThan(70_000_000);
  });

  it("leaves no process, mount, cgroup or folder behind", async () => {
    expect(sandboxProcesses().filter((commandLine) => !isLauncher(commandLine))).toEqual([]);
    await expect.poll(() => readdir(join(server.data, "work")), { timeout: 10_000 }).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${server.data}/work`);
    expect((await allJobs(server, "&state=QUEUED,RUNNING")).length).toBe(0);
  });
});

describe("a sandbox that looks around", () => {
  const LOOKS: Readonly<Record<string, string>> = {
    "data-directory": "ls DATA/ DATA/db DATA/blobs DATA/work && cat DATA/admin.json",
    "home-folders": "ls /root /home/* && cat /root/.bashrc",
    shadow: "cat /etc/shadow",
    "docker-socket": "ls /run/docker.sock /var/run/docker.sock",
    "host-tmp": "ls /tmp/sluice-* /var/tmp",
    "other-processes": "ls -d /proc/[0-9]* | grep -v -E '^/proc/([1-9]|[1-9][0-9])$' | grep .",
    "host-init": "grep -a -E 'systemd|node|bash' /proc/1/cmdline",
    loopback: "exec 3<>/dev/tcp/127.0.0.1/PORT",
    raise: "python3 -c 'import os; os.setuid(0)' || mount -t tmpfs x /mnt",
    device: "mknod $TMPDIR/disk b 254 0",
    "write-system": "touch /usr/bin/x /etc/x /x",
    sys: "ls /sys/fs/cgroup/memory",
    environment: "tr '\\0' '\\n' < /proc/1/environ | grep -E 'SECRET|PASSWORD|ADMIN|AWS_'",
  };

  it("gets nothing", async () => {
    const listener = createServer((socket) => socket.end("hello"));
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const names = Object.keys(LOOKS);
    const script = (command: string) =>
      `cat > $TMPDIR/look.sh <<'EOT'\n${command.replaceAll("DATA", server.data).replace("PORT", String(port))}\nEOT\nif bash $TMPDIR/look.sh > $TMPDIR/seen 2>&1; then cat $TMPDIR/seen; exit 42; fi\nexit 0\n`;
    await applyServices(
      server,
      names.map((name) => ({ name: `look-${name}`, script: script(LOOKS[name] ?? ""), input: `look-${name}/in` })),
    );
    const s3 = s3Of(server);
    for (const name of names) await s3.send(new PutObjectCommand({ Bucket: `look-${name}`, Key: "in/x", Body: "x" }));
    const found = (await settled(server)).filter((job) => job.service.startsWith("look-") && job.state !== "SUCCEEDED");
    const logs = await Promise.all(
      found.map(async (job) => `${job.service}: ${(await server.cli(["logs", job.id])).stdout}`),
    );
    listener.close();
    expect(logs).toEqual([]);
    expect((await allJobs(server)).filter((job) => job.service.startsWith("look-"))).toHaveLength(names.length);
  });
});

it("a server that ends leaves no process of its sandboxes, not even what it kept warm", async () => {
  isStopped = true;
  expect(await server.stop()).toBe(0);
  await expect.poll(sandboxProcesses, { timeout: 10_000 }).toEqual([]);
});
