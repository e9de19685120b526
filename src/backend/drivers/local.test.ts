import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { SluiceError } from "../../core/errors.ts";
import { type AttemptResult, NO_USAGE } from "../../core/job.ts";
import { systemClock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import type { FinishedAttempt, LeasedJob, StagedOutput } from "../../state/state.ts";
import type { AttemptHost } from "../../supervisor/attempt-host.ts";
import type { Backend } from "../backend.ts";
import { type LocalBackendOptions, localBackend } from "./local.ts";

const LEASED = {
  lease: { jobId: "job-1", attempt: 2, worker: "local" },
  job: { id: "job-1" },
  input: { name: "in", sizeBytes: 3, blob: { kind: "file", blobId: "in" } },
  token: "t",
} as unknown as LeasedJob;

const OK: AttemptResult = { outcome: "ok", message: "", exitCode: 0, signal: null, usage: NO_USAGE };
const full = new SluiceError("DISK_FULL", "Cannot commit: the disk is full");
const stale = new SluiceError("LEASE_STALE", "Cannot go on: attempt 3 has taken over");
const defect = new SluiceError("INTERNAL", "Cannot commit: a defect");

interface Finish {
  readonly result: AttemptResult;
  readonly outputs: readonly StagedOutput[];
  readonly log: string | null;
}

let finishes: Finish[];
let discarded: string[];
let logCalls: string[];
let serverLog: string[];
/** What each finish in turn throws; null commits. */
let faults: (Error | null)[];
let closed: Backend | null;

function backend(supervise: (host: AttemptHost) => Promise<void>, over: Partial<LocalBackendOptions> = {}): Backend {
  let blobs = 0;
  const made = localBackend({
    name: "local",
    worker: { capacity: { cpu: 1000 }, slots: 1 },
    supervise: (_, host) => supervise(host),
    clock: systemClock,
    log: createLog("debug", (line) => void serverLog.push(line)),
    state: {
      startAttempt: async () => {},
      stageOutputs: async () => {},
      async finishAttempt(_lease, result, outputs, log) {
        finishes.push({ result, outputs, log: log && Buffer.from(log).toString() });
        const fault = faults.shift() ?? null;
        if (fault !== null) throw fault;
        return {} as FinishedAttempt;
      },
    },
    blobs: {
      materialise: async ({ blob }, folder) => `${folder}/${blob.blobId}`,
      adopt: async () => {
        blobs += 1;
        return { blobId: `blob-${blobs}`, sizeBytes: 1, md5: "", blockCrc32c: new Uint8Array(), inline: null };
      },
      discard: async (ids) => void discarded.push(...ids),
    },
    logs: {
      writer: () => ({
        write: (chunk) => void logCalls.push(Buffer.from(chunk).toString()),
        finish: async () => Buffer.from("short"),
        release: async () => void logCalls.push("released"),
        discard: async () => void logCalls.push("discarded"),
      }),
    },
    ...over,
  });
  closed = made;
  return made;
}

/** Resolves when nothing of the attempt is left to do. */
async function run(made: Backend): Promise<void> {
  await new Promise<void>((resolve) => made.start(LEASED, resolve));
  await vi.waitFor(() => expect(made.running()).toEqual([]), { timeout: 10_000 });
}
const stage = (host: AttemptHost, key: string): Promise<StagedOutput> =>
  host.stageOutput({ bucket: "b", key, contentType: "text/plain" }, `/${key}`, "move");

beforeEach(async () => {
  await closed?.close();
  [finishes, discarded, logCalls, serverLog, faults] = [[], [], [], [], []];
});

describe("the local backend", () => {
  it("gives the place back once, as soon as the attempt's end is on its way to the database", async () => {
    const committed = Promise.withResolvers<FinishedAttempt>();
    const state = {
      startAttempt: async () => {},
      stageOutputs: async () => {},
      finishAttempt: () => committed.promise,
    };
    const made = backend(async (host) => host.finish(OK, []), { state });
    let ended = 0;
    await new Promise<void>((resolve) => {
      made.start(LEASED, () => {
        ended += 1;
        resolve();
      });
    });
    expect(made.running()).toHaveLength(1);
    committed.resolve({} as FinishedAttempt);
    await vi.waitFor(() => expect(made.running()).toEqual([]));
    expect(ended).toBe(1);
  });

  it("is the supervisor's view of this server", async () => {
    await run(
      backend(async (host) => {
        expect(await host.input("/work/x")).toBe("/work/x/in");
        await host.log(Buffer.from("line"));
        await host.finish(OK, [await stage(host, "a")]);
      }),
    );
    expect(finishes).toMatchObject([
      { result: OK, outputs: [{ bucket: "b", key: "a", contentType: "text/plain" }], log: "short" },
    ]);
    expect(logCalls).toEqual(["line", "released"]);
    expect(discarded).toEqual([]);
  });

  it("writes an input that lies in its row where only the attempt sees it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-input-"));
    const input = {
      name: "in",
      sizeBytes: 3,
      blob: { kind: "inline" as const, blobId: "x", bytes: Buffer.from("abc") },
      blockCrc32c: Uint8Array.of(0x36, 0x4b, 0x3f, 0xb7),
    };
    let read = "";
    const made = backend(async (host) => {
      read = readFileSync(await host.input(folder), "utf8");
      await host.finish(OK, []);
    });
    await new Promise<void>((resolve) => made.start({ ...LEASED, input }, resolve));
    rmSync(folder, { recursive: true });
    expect(read).toBe("abc");
  });

  it("refuses an input that is damaged in its row", async () => {
    const blob = { kind: "inline" as const, blobId: "x", bytes: Buffer.from("abd") };
    const input = { name: "in", sizeBytes: 3, blob, blockCrc32c: Uint8Array.of(0x36, 0x4b, 0x3f, 0xb7) };
    const made = backend(async (host) => {
      await expect(host.input("/nowhere")).rejects.toMatchObject({ code: "DATA_CORRUPT" });
      await host.finish(OK, []);
    });
    await new Promise<void>((resolve) => made.start({ ...LEASED, input }, resolve));
    expect(finishes).toHaveLength(1);
  });

  it("tries a finish again while the disk is full, and loses nothing", async () => {
    faults = [full, full, full, full];
    await run(backend(async (host) => host.finish(OK, [await stage(host, "a")])));
    expect(finishes).toHaveLength(5);
    expect(new Set(finishes.map(({ outputs }) => outputs[0]?.blob.blobId))).toEqual(new Set(["blob-1"]));
    expect(logCalls).toEqual(["released"]);
    expect(discarded).toEqual([]);
  });

  it("ends an attempt whose outputs meet a defect each time, without them", async () => {
    faults = [defect, defect, defect, full];
    await run(backend(async (host) => host.finish(OK, [await stage(host, "a")])));
    expect(finishes.map(({ result, outputs }) => [result.outcome, outputs.length])).toEqual([
      ["ok", 1],
      ["ok", 1],
      ["ok", 1],
      ["infrastructure", 0],
      ["infrastructure", 0],
    ]);
    expect(finishes.at(-1)?.result.message).toBe("Cannot publish the outputs: Cannot commit: a defect");
    // Nobody knows whether a row names them: the next start's sweep does.
    expect(discarded).toEqual([]);
  });

  it("forgets the log of a superseded attempt and leaves its blobs to the state", async () => {
    faults = [stale];
    const ended = vi.fn();
    const made = backend(async (host) => {
      await expect(host.finish(OK, [await stage(host, "a")])).rejects.toBe(stale);
    });
    made.start(LEASED, ended);
    await expect.poll(() => ended).toHaveBeenCalledOnce();
    expect(finishes).toHaveLength(1);
    expect(logCalls).toEqual(["discarded"]);
    expect(discarded).toEqual([]);
  });

  it("removes staged blobs that it never told the state of", async () => {
    await run(
      backend(async (host) => {
        const [first, second] = [await stage(host, "a"), await stage(host, "b")];
        await stage(host, "c");
        await host.stageChunk?.([first]);
        await host.finish({ ...OK, outcome: "exit" }, [second]);
      }),
    );
    expect(discarded).toEqual(["blob-3"]);
  });

  it("gives a finish up when it closes, and removes nothing that might be published", async () => {
    faults = Array.from({ length: 100 }, () => full);
    const ended = vi.fn();
    const made = backend(async (host) => host.finish(OK, [await stage(host, "a")]));
    made.start(LEASED, ended);
    await expect.poll(() => finishes.length).toBeGreaterThan(0);
    await made.close();
    expect(ended).toHaveBeenCalledOnce();
    expect(discarded).toEqual([]);
    expect(logCalls).toEqual([]);
  });

  it("ends the attempt of a supervisor that failed", async () => {
    await run(
      backend(async (host) => {
        await stage(host, "a");
        throw new TypeError("a secret detail");
      }),
    );
    expect(finishes).toMatchObject([{ result: { outcome: "infrastructure" }, outputs: [] }]);
    expect(finishes[0]?.result.message).not.toContain("secret");
    expect(serverLog.join("")).toContain("a secret detail");
    expect(discarded).toEqual(["blob-1"]);
  });

  it("takes one finish only", async () => {
    await run(
      backend(async (host) => {
        await host.finish(OK, []);
        await expect(host.finish(OK, [])).rejects.toMatchObject({ code: "LEASE_STALE" });
      }),
    );
    expect(finishes).toHaveLength(1);
  });

  it("resolves a stop when the attempt is gone, with the reason at hand", async () => {
    let gone = false;
    const made = backend(async (host) => {
      await new Promise((resolve) => host.signal.addEventListener("abort", resolve));
      expect(host.signal.reason).toBe("cancelled");
      await host.finish({ ...OK, outcome: "cancelled" }, []);
      gone = true;
    });
    made.start(LEASED, () => {});
    await made.stop(LEASED.lease, "cancelled");
    expect(gone).toBe(true);
    expect(made.running()).toEqual([]);
    await made.stop({ ...LEASED.lease, attempt: 9 }, "cancelled");
  });
});
