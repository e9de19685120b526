import { expect, it } from "vitest";
import type { ChangeKind } from "../../core/change.ts";
import { type FakeState, fakeState } from "../testing/fake-state.ts";
import { type ChangeQuery, changeStream } from "./change-stream.ts";
import { Wakeups } from "./wakeups.ts";

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A reader of the stream that counts how far the log was read. */
function follow(state: FakeState, query: Partial<ChangeQuery> = {}) {
  const controller = new AbortController();
  const reads: number[] = [];
  const counted = {
    changeBounds: state.changeBounds,
    changes: async (...args: Parameters<FakeState["changes"]>) => {
      reads.push(args[0]);
      return state.changes(...args);
    },
  };
  const stream = changeStream(counted, new Wakeups(state), {
    after: null,
    owner: null,
    kinds: null,
    signal: controller.signal,
    ...query,
  });
  const next = async (): Promise<string> => (await stream.next()).value ?? "";
  return {
    reads,
    next,
    stop: () => controller.abort(),
    stream,
    async events(count: number): Promise<Event[]> {
      const found: Event[] = [];
      while (found.length < count) {
        const block = parse(await next());
        if (block.event !== undefined) found.push(block as Event);
      }
      return found;
    },
  };
}

function parse(block: string): Partial<Event> {
  expect(block.endsWith("\n\n")).toBe(true);
  const fields = Object.fromEntries(
    block
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { ...fields, ...(fields.data === undefined ? {} : { data: JSON.parse(fields.data) }) };
}

function filled(count: number): FakeState {
  const state = fakeState();
  for (let at = 0; at < count; at += 1) state.note({});
  return state;
}

it("begins with a number to come back with, and sends what is committed from then on", async () => {
  const state = filled(3);
  const reader = follow(state);
  expect(parse(await reader.next())).toMatchObject({ retry: "1000", id: "3" });
  const coming = reader.events(1);
  state.note({ kind: "job.succeeded", key: "thumbs-1", sequencer: 2, data: { exit: 0, text: "a\nb" } });
  expect(await coming).toEqual([
    {
      id: "4",
      event: "job.succeeded",
      data: {
        seq: 4,
        at: "2023-11-14T22:13:20.000Z",
        kind: "job.succeeded",
        key: "thumbs-1",
        owner: "ada",
        sequencer: 2,
        data: { exit: 0, text: "a\nb" },
      },
    },
  ]);
});

it("goes on after a number, without a hole and without a twin, through many pages", async () => {
  const reader = follow(filled(1000), { after: 10 });
  const ids = (await reader.events(990)).map(({ id }) => Number(id));
  expect(ids).toEqual(Array.from({ length: 990 }, (_, at) => at + 11));
});

it("reads the log no further than its reader has read", async () => {
  const reader = follow(filled(1000), { after: 0 });
  await reader.events(1);
  expect(reader.reads).toEqual([0]);
  await reader.events(256);
  expect(reader.reads).toEqual([0, 256]);
});

it("says what it can no longer show, and goes on with the oldest kept", async () => {
  const state = filled(20);
  state.expireBefore(15);
  const events = await follow(state, { after: 4 }).events(3);
  expect(events.map(({ id, event, data }) => [id, event, data.first_missing ?? data.seq, data.last_missing])).toEqual([
    ["14", "gap", 5, 14],
    ["15", "job.queued", 15, undefined],
    ["16", "job.queued", 16, undefined],
  ]);
});

it("says nothing of a gap when the next one is the oldest kept", async () => {
  const state = filled(20);
  state.expireBefore(15);
  expect((await follow(state, { after: 14 }).events(1))[0]?.event).toBe("job.queued");
});

it("tells a slow reader that the log went on without him", async () => {
  const state = filled(300);
  const reader = follow(state, { after: 0 });
  await reader.events(256);
  for (let at = 0; at < 100; at += 1) state.note({});
  state.expireBefore(390);
  const [first, second] = await reader.events(2);
  expect(first).toMatchObject({ event: "gap", data: { first_missing: 257, last_missing: 389 } });
  expect(second?.id).toBe("390");
});

it("tells a reader from before a restore that the log is younger than he", async () => {
  const state = filled(5);
  const reader = follow(state, { after: 900 });
  const [gap] = await reader.events(1);
  state.note({});
  const [next] = await reader.events(1);
  expect([gap?.event, next?.id]).toEqual(["gap", "6"]);
});

it("shows one owner's changes, and moves past those of others", async () => {
  const state = filled(1);
  const reader = follow(state, { after: 0, owner: "bob", heartbeatMs: 1 });
  for (let at = 0; at < 5; at += 1) state.note({ owner: at === 2 ? "bob" : "ada" });
  const [event] = await reader.events(1);
  expect(event?.id).toBe("4");
  let mark = parse(await reader.next());
  while (mark.id !== "6") mark = parse(await reader.next());
  expect(mark).toEqual({ id: "6" });
});

it("shows the kinds asked for", async () => {
  const state = filled(0);
  const reader = follow(state, { after: 0, kinds: ["job.failed"] });
  for (const kind of ["job.queued", "job.failed", "object.created"] satisfies ChangeKind[]) state.note({ kind });
  expect((await reader.events(1)).map(({ event, id }) => [event, id])).toEqual([["job.failed", "2"]]);
});

it("ends when its reader has gone, even while it waits", async () => {
  const reader = follow(filled(1));
  await reader.next();
  const end = reader.stream.next();
  reader.stop();
  expect((await end).done).toBe(true);
});
