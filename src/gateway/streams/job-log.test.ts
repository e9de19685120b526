import { expect, it } from "vitest";
import type { Job } from "../../core/job.ts";
import type { LogChunk } from "../../logs/logs.ts";
import { fakeState } from "../testing/fake-state.ts";
import { jobOf, NOW } from "../testing/samples.ts";
import { type JobLogQuery, jobLog } from "./job-log.ts";
import { Wakeups } from "./wakeups.ts";

type Script = Readonly<Record<number, readonly string[]>>;

/** A job whose attempts wrote `script`; `reads` tells which logs were asked for. */
function world(job: Job, script: Script) {
  const state = fakeState();
  state.tables.jobs.set(job.id, job);
  const reads: string[] = [];
  const logs = {
    async *read(_id: string, attempt: number, { follow }: { follow: boolean }): AsyncGenerator<LogChunk> {
      reads.push(`${attempt}${follow ? " follow" : ""}`);
      for (const [at, text] of (script[attempt] ?? []).entries()) {
        yield { at: NOW + at * 1000, bytes: Buffer.from(text) };
      }
    },
  };
  return {
    reads,
    become(over: Partial<Job>) {
      state.tables.jobs.set(job.id, { ...job, ...over });
      state.note({});
    },
    forget() {
      state.tables.jobs.delete(job.id);
      state.note({});
    },
    async text(query: Partial<JobLogQuery> = {}): Promise<string> {
      const signal = new AbortController().signal;
      const all = { job, attempt: null, follow: false, timestamps: false, signal, ...query };
      const chunks: Uint8Array[] = [];
      for await (const chunk of jobLog({ state, logs }, new Wakeups(state), all)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
  };
}

/** Lets everything that can go on without an event go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

it("is the latest attempt's, or the one asked for", async () => {
  const at = world(jobOf("j", { state: "FAILED", attempt: 2 }), { 1: ["first"], 2: ["second"] });
  expect(await at.text()).toBe("second");
  expect(await at.text({ attempt: 1 })).toBe("first");
  expect(await world(jobOf("j"), {}).text()).toBe("");
});

it("followed, waits for a queued job and stays through its retries until it has ended", async () => {
  const at = world(jobOf("j"), { 1: ["one\n"], 2: ["two\n"] });
  const text = at.text({ follow: true });
  await settle();
  expect(at.reads).toEqual([]);
  at.become({ state: "RUNNING", attempt: 1 });
  await settle();
  at.become({ state: "QUEUED", attempt: 1 });
  await settle();
  at.become({ state: "RUNNING", attempt: 2 });
  await settle();
  at.become({ state: "SUCCEEDED", attempt: 2 });
  expect(await text).toBe("one\ntwo\n");
  expect(at.reads).toEqual(["1 follow", "2 follow"]);
});

it("followed, ends with a job that is cancelled before it began, and with one that is removed", async () => {
  for (const end of ["cancel", "remove"] as const) {
    const at = world(jobOf("j"), {});
    const text = at.text({ follow: true });
    await settle();
    if (end === "cancel") at.become({ state: "CANCELLED" });
    else at.forget();
    expect(await text).toBe("");
  }
});

it("followed, of one attempt ends with it", async () => {
  const at = world(jobOf("j", { state: "RUNNING", attempt: 2 }), { 1: ["one"], 2: ["two"] });
  expect(await at.text({ follow: true, attempt: 1 })).toBe("one");
});

it("followed, ends when its reader has gone", async () => {
  const controller = new AbortController();
  const text = world(jobOf("j"), {}).text({ follow: true, signal: controller.signal });
  await settle();
  controller.abort();
  expect(await text).toBe("");
});

it("puts the arrival time before each line, however the chunks cut them", async () => {
  const at = world(jobOf("j", { state: "SUCCEEDED", attempt: 1 }), {
    1: ["a\nb", "c\n", "", "\n", "no end of line"],
  });
  expect(await at.text({ timestamps: true })).toBe(
    [
      "2023-11-14T22:13:20.000Z a\n",
      "2023-11-14T22:13:20.000Z bc\n",
      "2023-11-14T22:13:23.000Z \n",
      "2023-11-14T22:13:24.000Z no end of line",
    ].join(""),
  );
});
