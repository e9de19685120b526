import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { descriptor, readTrace, type Syscall, straceArguments } from "../../test/support/syscall-trace.ts";
import { LOG_MAGIC } from "./log-record.ts";
import { LogSegments, logFolder, segmentFile } from "./log-segments.ts";

const execute = promisify(execFile);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-segments-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (text: string): [Buffer[], number] => [[Buffer.from(text)], text.length];

describe("LogSegments", () => {
  it("keeps the head and goes round in the tail's files", async () => {
    const head = join(root, "ab", "j.1.log");
    // 100 bytes of head, 25 of each tail file.
    const segments = new LogSegments(head, 200);
    expect(existsSync(dirname(head))).toBe(false);
    for (let n = 0; n < 20; n += 1) await segments.append(...run(String(n).padStart(25, "0")));
    expect(readFileSync(head, "latin1")).toMatch(/^SLOG.{4}0{25}0{24}1/s);
    const tail = [0, 1, 2, 3].map((n) => readFileSync(`${head}.${n}`, "latin1").slice(LOG_MAGIC.length));
    expect(tail.toSorted().map(Number)).toEqual([16, 17, 18, 19]);
    expect(segments.newest - segments.oldestTail).toBe(3);
    expect(statSync(head).mode & 0o777).toBe(0o600);
    await segments.remove();
    expect(readdirSync(dirname(head))).toEqual([]);
  });

  it("makes every kept segment durable, with its name and its folder's", async () => {
    const program = `import { LogSegments } from ${JSON.stringify(join(import.meta.dirname, "log-segments.ts"))};
      const segments = new LogSegments(${JSON.stringify(join(root, "ab", "j.1.log"))}, 200);
      await segments.sync();
      for (let n = 0; n < 20; n++) await segments.append([Buffer.from(String(n).padStart(25, "0"))], 25);
      await segments.sync();
      await segments.close();`;
    const trace = join(root, "trace");
    const [strace = "", ...options] = straceArguments(trace);
    await execute(strace, [...options, process.execPath, "--input-type=module", "--eval", program]);
    const calls = await Array.fromAsync(readTrace(trace));
    const pathOf = (call: Syscall): string => descriptor(call.args)?.path ?? "";
    const lastWrite = calls.findLastIndex((call) => /^p?writev?/.test(call.name) && pathOf(call).includes("j.1.log"));
    const synced = calls
      .slice(lastWrite)
      .filter((call) => /^f(data)?sync$/.test(call.name))
      .map(pathOf);
    const head = join(root, "ab", "j.1.log");
    const kept = [head, ...[0, 1, 2, 3].map((n) => `${head}.${n}`), dirname(head), root];
    expect(synced.toSorted()).toEqual(kept.toSorted());
    expect(synced.slice(-2)).toEqual([dirname(head), root]);
  });

  it("appends parts of one run in order", async () => {
    const segments = new LogSegments(join(root, "j.1.log"), 1000);
    await segments.append([Buffer.from("a"), Buffer.from("b")], 2);
    await segments.append([Buffer.from("c")], 1);
    await segments.close();
    expect(readFileSync(segments.head).subarray(LOG_MAGIC.length).toString()).toBe("abc");
    expect(segments.committedBytes).toBe(LOG_MAGIC.length + 3);
  });

  it("goes on after a segment could not be made", async () => {
    const folder = join(root, "ab");
    writeFileSync(folder, "in the way");
    const segments = new LogSegments(join(folder, "j.1.log"), 1000);
    await expect(segments.append(...run("x"))).rejects.toMatchObject({ code: "EEXIST" });
    expect(segments.newest).toBe(-1);
    rmSync(folder);
    await segments.append(...run("y"));
    expect(segments.newest).toBe(0);
    await segments.close();
  });
});

describe("names", () => {
  it("spread over 256 folders and repeat after four segments", () => {
    expect(logFolder("/d", "a-1")).toMatch(/^\/d\/[0-9a-f]{2}$/);
    expect([0, 1, 4, 5].map((n) => segmentFile("h", n))).toEqual(["h", "h.1", "h.0", "h.1"]);
  });
});
