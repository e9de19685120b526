import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { removeTree } from "../../../src/lib/remove-tree.ts";

/** A real Podman with a store of its own, which answers the Docker Engine API. */
export class PodmanService {
  readonly socketPath: string;
  readonly #folder: string;
  #child: ChildProcess;

  private constructor(folder: string) {
    this.#folder = folder;
    this.socketPath = join(folder, "podman.sock");
    this.#child = this.#spawn();
  }

  static async start(): Promise<PodmanService> {
    const service = new PodmanService(mkdtempSync(join(tmpdir(), "sluice-podman-")));
    await service.#ready();
    return service;
  }

  /** For a server that is to use it. */
  get env(): Readonly<Record<string, string>> {
    return { SLUICE_SANDBOX_DRIVER: "container", SLUICE_SANDBOX_ENGINE_SOCKET: this.socketPath };
  }

  /** A command on the same store. */
  run(...args: string[]): string {
    return execFileSync("podman", [...this.#place(), ...args], { encoding: "utf8", timeout: 30_000 });
  }

  /** As a crash of the engine. Containers go on. */
  async kill(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async restart(): Promise<void> {
    this.#child = this.#spawn();
    await this.#ready();
  }

  async stop(): Promise<void> {
    this.run("rm", "--all", "--force", "--time", "0");
    this.run("rmi", "--all", "--force");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    await removeTree(this.#folder);
  }

  #place(): string[] {
    const [root, runroot] = [join(this.#folder, "root"), join(this.#folder, "run")];
    return ["--root", root, "--runroot", runroot, "--runtime", "runc", "--cgroup-manager", "cgroupfs"];
  }

  #spawn(): ChildProcess {
    const args = [
      ...this.#place(),
      "--log-level",
      "error",
      "system",
      "service",
      "--time=0",
      `unix://${this.socketPath}`,
    ];
    // What the kernel ended for memory is noted in a file where it runs.
    return spawn("podman", args, { stdio: "ignore", cwd: this.#folder });
  }

  async #ready(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (existsSync(this.socketPath) && readFileSync("/proc/net/unix", "latin1").includes(this.socketPath)) return;
      await sleep(50);
    }
    throw new Error("Podman's service is not ready within 10 s");
  }
}
