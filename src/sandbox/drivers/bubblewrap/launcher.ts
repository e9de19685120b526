import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { SluiceError } from "../../../core/errors.ts";
import { type IdMaps, writeIdMaps } from "./id-maps.ts";
import { LAUNCHER_SCRIPT } from "./launcher-script.ts";
import { Outbound, type OutboundOptions } from "./network/outbound.ts";
import { sendSignal } from "./signals.ts";

export interface LauncherOptions {
  /** The slot's folder, owned by the slot's user. */
  readonly folder: string;
  /** User and group to become; null to stay who the server is. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  /** Moves the shell into the slot's control group before it starts anything. */
  readonly join: (pid: number) => Promise<void>;
  /** Ids of a user namespace for the shell, in which it can mount; null for none. */
  readonly maps: IdMaps | null;
  /** Of an outbound network of the shell's own; null for none. With `maps` only. */
  readonly outbound: Pick<OutboundOptions, "tools" | "blocked"> | null;
}

interface LauncherParts {
  readonly watchdogPid: number;
  readonly outbound: Outbound | null;
}

/** A job's end as the launcher saw it: bubblewrap's exit code, or `lost` when the launcher itself was killed. */
export type LaunchEnd = { readonly kind: "exited"; readonly code: number } | { readonly kind: "lost" };

/** Longest wait for a launcher to be ready; it takes a few milliseconds. */
const READY_WITHIN_MS = 10_000;

/** A small shell that waits in a slot's control group, as the slot's user, and becomes the parent of its sandboxes, one after the other.
 *
 *  It saves each job a fork of the server (which grows with the server's memory), a start of the shell and the moves between control
 *  groups. It is born by `spawn` in a session of its own: Ctrl-C in the server's terminal does not reach it. */
export class Launcher {
  readonly pid: number;
  readonly watchdogPid: number;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #outbound: Outbound | null;
  #waiting: ((end: LaunchEnd) => void) | null = null;
  #lost = false;
  #buffered = "";

  private constructor(child: ChildProcess, pid: number, input: Writable, output: Readable, more: LauncherParts) {
    const { watchdogPid, outbound } = more;
    this.#child = child;
    this.#outbound = outbound;
    this.pid = pid;
    this.#input = input;
    this.watchdogPid = watchdogPid;
    output.on("data", (chunk: string) => this.#answered(chunk));
    child.once("exit", () => this.#end({ kind: "lost" }));
    // Without its network a script would wait for answers that never come.
    void outbound?.gone.then(() => {
      child.kill("SIGKILL");
      this.#end({ kind: "lost" });
    });
  }

  /** @throws SluiceError SANDBOX_UNAVAILABLE when the shell cannot start as the slot's user */
  static async start(options: LauncherOptions): Promise<Launcher> {
    const errors = openSync(`${options.folder}/errors`, "w", 0o600);
    const child = spawnShell(options, errors);
    closeSync(errors);
    child.on("error", () => {});
    const [input, output] = [child.stdin, child.stdio[3]];
    if (child.pid === undefined || input === null || !isReadable(output)) throw await spawnFailure(child);
    input.on("error", () => {});
    let outbound: Outbound | null = null;
    try {
      await answer(child, output, options.folder, /^born\n/);
      if (options.maps !== null) writeIdMaps(child.pid, options.maps);
      if (options.outbound !== null) {
        outbound = await Outbound.start({ ...options.outbound, pid: child.pid, user: options.user });
      }
      await options.join(child.pid);
      input.write("go\n");
      const watchdogPid = Number(await answer(child, output, options.folder, /^ready (\d+)\n/));
      const launcher = new Launcher(child, child.pid, input, output, { watchdogPid, outbound });
      launcher.#hold(false);
      return launcher;
    } catch (error) {
      child.kill("SIGKILL");
      await outbound?.close();
      throw error;
    }
  }

  get alive(): boolean {
    return !this.#lost;
  }

  /** Runs what the slot's `run` file says. One at a time. */
  run(): Promise<LaunchEnd> {
    if (this.#lost) return Promise.resolve({ kind: "lost" });
    if (this.#waiting !== null) throw new SluiceError("INTERNAL", "Cannot run in the slot: it runs something already");
    this.#hold(true);
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#input.write("run\n");
    });
  }

  /** Ends an idle launcher; resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#lost) return await this.#outbound?.close();
    this.#child.ref();
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    sendSignal([this.watchdogPid], "SIGKILL");
    await gone;
    await this.#outbound?.close();
  }

  #answered(chunk: string): void {
    this.#buffered += chunk;
    const end = this.#buffered.indexOf("\n");
    if (end < 0) return;
    const code = Number(this.#buffered.slice(0, end));
    this.#buffered = this.#buffered.slice(end + 1);
    this.#end({ kind: "exited", code });
  }

  #end(end: LaunchEnd): void {
    if (end.kind === "lost") this.#lost = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) {
      this.#hold(false);
      waiting(end);
    }
  }

  /** An idle launcher must not keep the server's process from ending. */
  #hold(busy: boolean): void {
    for (const handle of [this.#child, ...this.#child.stdio]) {
      if (handle === null || handle === undefined) continue;
      const held = handle as { ref?: () => void; unref?: () => void };
      if (busy) held.ref?.();
      else held.unref?.();
    }
  }
}

function spawnShell(options: LauncherOptions, errors: number): ChildProcess {
  const identity = options.user === null ? "shared-uid" : "own-uid";
  const shell = ["/bin/sh", "-c", LAUNCHER_SCRIPT, "sluice-launcher", options.folder, identity];
  const network = options.outbound === null ? [] : ["--net"];
  const [program = "", ...args] = options.maps === null ? shell : [...OWN_NAMESPACES, ...network, "--", ...shell];
  return spawn(program, args, {
    stdio: ["pipe", "ignore", errors, "pipe", "pipe"],
    detached: true,
    cwd: "/",
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    ...(options.user ?? {}),
  });
}

/** util-linux's; it becomes the shell. */
const OWN_NAMESPACES = ["unshare", "--user", "--mount"];

async function spawnFailure(child: ChildProcess): Promise<SluiceError> {
  const reason = await Promise.race([
    once(child, "error").then(([error]) => (error instanceof Error ? error.message : String(error))),
    once(child, "exit").then(() => "it ended at once"),
  ]);
  return new SluiceError("SANDBOX_UNAVAILABLE", `Cannot start a sandbox's launcher: ${reason}`);
}

/** Waits for a line; resolves with what its pattern captures. */
function answer(child: ChildProcess, output: Readable, folder: string, line: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (why: string): void => {
      settle();
      const said = readFileSync(`${folder}/errors`, "utf8").trim();
      reject(new SluiceError("SANDBOX_UNAVAILABLE", `Cannot start a sandbox's launcher: ${said === "" ? why : said}`));
    };
    const onExit = (): void => fail("its shell ended before it was ready");
    const onData = (chunk: string): void => {
      text += chunk;
      const match = line.exec(text);
      if (match === null) return;
      settle();
      resolve(match[1] ?? "");
    };
    const timer = setTimeout(() => fail(`it was not ready within ${READY_WITHIN_MS} ms`), READY_WITHIN_MS);
    const settle = (): void => {
      clearTimeout(timer);
      output.off("data", onData);
      child.off("exit", onExit);
    };
    output.setEncoding("utf8");
    output.on("data", onData);
    child.once("exit", onExit);
  });
}

function isReadable(stream: Readable | Writable | null | undefined): stream is Readable {
  return stream !== null && stream !== undefined && "setEncoding" in stream;
}
