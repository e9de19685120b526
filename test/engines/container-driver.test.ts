import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeTree } from "../../src/lib/remove-tree.ts";
import type { ContainerOptions } from "../../src/sandbox/drivers/container.ts";
import type { SandboxRoot } from "../../src/sandbox/sandbox.ts";
import { SandboxBench } from "../../src/sandbox/testing/sandbox-bench.ts";
import { sandboxContract } from "../../src/sandbox/testing/sandbox-contract.ts";
import { imageRoot, makeLayers } from "../../src/sandbox/testing/test-image.ts";
import { PodmanService } from "./support/podman-service.ts";

let podman: PodmanService;
let folder: string;
let root: SandboxRoot;
beforeAll(async () => {
  podman = await PodmanService.start();
  folder = mkdtempSync(join(tmpdir(), "sluice-containers-"));
  mkdirSync(join(folder, "layers"));
  root = imageRoot(makeLayers(join(folder, "layers")));
});
afterAll(async () => {
  await podman.stop();
  await removeTree(folder);
});

const MIB = 1024 * 1024;
const open = (more: Partial<ContainerOptions> = {}): Promise<SandboxBench> =>
  SandboxBench.openContainers({ socketPath: podman.socketPath, ...more }, root);

const withUser = (image: SandboxRoot, user: string): SandboxRoot => ({ ...image, user }) as SandboxRoot;

function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "";
}

function busyboxLayer(parent: string): string {
  const layer = join(parent, "layer");
  mkdirSync(join(layer, "bin"), { recursive: true });
  copyFileSync("/usr/bin/busybox", join(layer, "bin/busybox"));
  chmodSync(join(layer, "bin/busybox"), 0o755);
  for (const name of ["sh", "grep"]) symlinkSync("busybox", join(layer, "bin", name));
  return layer;
}

describe("mounts are bound", () => sandboxContract("container", () => open()));
describe("files are copied", () => sandboxContract("container", () => open({ binds: false })));

describe("limits and guards of a real Podman", () => {
  let bench: SandboxBench;
  beforeAll(async () => {
    bench = await open();
  });
  afterAll(() => bench.close());

  test("memory: the kernel ends it, and the limit is named", async () => {
    const script = "a=x; while :; do a=$a$a; done";
    expect(await bench.run(script, { limits: { memoryBytes: 32 * MIB } })).toMatchObject({ limit: "memory" });
  });

  test.each([
    ["disk", "while :; do echo 0123456789012345678901234567890123456789; done >large", { diskBytes: MIB }],
    ["disk", "while :; do echo 0123456789012345678901234567890123456789; done >/usr/elsewhere", { diskBytes: MIB }],
    ["files", "i=0; while [ $i -lt 500 ]; do : >f$i; i=$((i+1)); done; sleep 5", { files: 100 }],
  ] as const)("%s: ended by %s", async (limit, script, limits) => {
    expect(await bench.run(script, { limits })).toMatchObject({ limit });
  });

  test("disk: where files are copied all of them are counted, but not the input", async () => {
    const copying = await open({ binds: false });
    const blob = join(folder, "blob");
    writeFileSync(blob, Buffer.alloc(2 * MIB));
    const mounts = [{ kind: "blob", source: blob, target: "/work/input", readOnly: true }] as const;
    const limits = { diskBytes: MIB };
    const line = "0123456789012345678901234567890123456789012345678901234567890123";
    const write = (files: number): string =>
      `i=0; while [ $i -lt ${files} ]; do j=0; while [ $j -lt 8000 ]; do echo ${line}; j=$((j+1)); done >f$i; i=$((i+1)); done`;
    expect(await copying.run(write(1), { limits, mounts })).toMatchObject({ exitCode: 0, limit: null });
    expect(await copying.run(write(3), { limits, mounts })).toMatchObject({ limit: "disk" });
    await copying.close();
  });

  test("processes are counted", async () => {
    const script = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; sleep 0.1";
    const result = await bench.run(script, { limits: { pids: 16 } });
    expect(result.exitCode).not.toBe(0);
  });

  test("no capability, no new privileges, a filter of system calls, and no way to the machine's files", async () => {
    const script = `while read -r name value rest; do
      case $name in Cap*|NoNewPrivs:|Seccomp:) echo "$name $value" ;; esac
    done </proc/self/status
    cat ${folder}/layers/aaaa/etc/passwd; cat /proc/1/root/etc/shadow; ls /dev/mem /run/podman; true`;
    const { out } = await bench.run(script);
    expect(out).toContain("NoNewPrivs: 1");
    expect(out).toContain("Seccomp: 2");
    expect(out.match(/Cap\w+: 0000000000000000/g)).toHaveLength(5);
    expect(out.match(/No such file/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test("USER of the image, by name, owns the work folder; the server has its files afterwards", async () => {
    const workFolder = bench.workFolder();
    const { out } = await bench.run("id -u; id -g; echo text >made", { root: withUser(root, "worker") }, workFolder);
    expect(out).toBe("33\n44\n");
    expect(statSync(join(workFolder, "made")).uid).toBe(process.geteuid?.());
  });

  test("without a network there is none", async () => {
    const { out } = await bench.run('while read -r name rest; do echo "$name"; done </proc/net/dev');
    expect(out.trim().split("\n").slice(2)).toEqual(["lo:"]);
  });

  test("what belongs to this machine's programs is refused", async () => {
    const spec = bench.spec(bench.workFolder(), { root: { kind: "host" } });
    await expect(bench.sandbox.create(spec)).rejects.toMatchObject({ code: "IMAGE_UNSUPPORTED" });
    const shared = bench.spec(bench.workFolder(), { network: "host" });
    await expect(bench.sandbox.create(shared)).rejects.toMatchObject({ code: "NETWORK_UNSUPPORTED" });
  });

  test("an image is given to the engine once, and goes with its layers", async () => {
    const images = (): number => podman.run("images", "--quiet", "--all").split("\n").filter(Boolean).length;
    const before = images();
    const other = join(folder, "other");
    mkdirSync(other);
    const layers = makeLayers(other);
    const runs = [1, 2, 3].map(() => bench.run("echo well", { root: imageRoot(layers) }));
    expect((await Promise.all(runs)).map(({ out }) => out)).toEqual(["well\n", "well\n", "well\n"]);
    expect(images()).toBe(before + 1);
    await removeTree(other);
    expect(await bench.sandbox.reclaim()).toEqual(["Removed 1 images of the container engine whose layers are gone"]);
    expect(images()).toBe(before);
  });

  test("an image that somebody removed from the engine is given again", async () => {
    await bench.run("true");
    podman.run("rmi", "--all", "--force");
    expect((await bench.run("echo well")).out).toBe("well\n");
  });

  test("containers of a server that was killed are removed at the next start", async () => {
    const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
    const running = bench.runIn(instance, "echo up; sleep 60").catch((error: unknown) => error);
    await expect.poll(() => podman.run("ps", "--quiet").trim()).not.toBe("");
    expect(await bench.sandbox.reclaim()).toEqual(["Removed 1 containers that an earlier server left"]);
    await running;
    await instance.destroy();
    expect(podman.run("ps", "--all", "--quiet").trim()).toBe("");
  });

  test("an engine that dies is a fault of the machine, and is used again when it is back", async () => {
    const instance = await bench.sandbox.create(bench.spec(bench.workFolder()));
    const running = bench.runIn(instance, "echo up; sleep 60");
    const failed = expect(running).rejects.toMatchObject({ code: "SANDBOX_UNAVAILABLE" });
    await expect.poll(() => podman.run("ps", "--quiet").trim()).not.toBe("");
    await podman.kill();
    await failed;
    await instance.destroy();
    await podman.restart();
    await bench.sandbox.reclaim();
    expect((await bench.run("echo well")).out).toBe("well\n");
  });
});

describe("network outbound", () => {
  test("reaches no address of this machine, which the engine's own network does", async () => {
    const server = createServer((socket) => void socket.on("error", () => {}).end("machine\n"));
    await new Promise<void>((resolve) => void server.listen(0, "0.0.0.0", resolve));
    const { port } = server.address() as AddressInfo;
    const address = ownAddress();
    const tool = imageRoot([busyboxLayer(join(folder, "tool"))]);
    const call = `/bin/busybox nc -w 3 ${address} ${port} </dev/null; grep -c nameserver /etc/resolv.conf`;
    const closed = await open();
    const asItIs = await open({ outboundNetwork: "slirp4netns" });
    try {
      expect((await asItIs.run(call, { root: tool, network: "outbound" })).out).toContain("machine");
      const { out } = await closed.run(call, { root: tool, network: "outbound" });
      expect(out).not.toContain("machine");
      expect(out).toMatch(/^[1-9]$/m);
    } finally {
      await closed.close();
      await asItIs.close();
      server.close();
    }
  });
});
