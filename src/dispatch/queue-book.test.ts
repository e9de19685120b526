import { describe, expect, it } from "vitest";
import type { Waiting } from "../scheduler/scheduler.ts";
import { head } from "../scheduler/testing/views.ts";
import type { ServiceQueue } from "../state/state.ts";
import { QueueBook } from "./queue-book.ts";

const FRESH_MS = 100;
const nobody = (_jobId: string): boolean => false;
const none = (): number => 0;

function answer(service: string, count: number, over: Partial<ServiceQueue> = {}): ServiceQueue {
  const heads = Array.from({ length: count }, (_, at) => head(service, at + 1, { cpu: 1 }));
  return { service, heads, queued: count, active: 0, concurrency: null, nextAt: null, ...over };
}

/** Marks and reads queues at one instant, as the dispatcher does. */
function readAll(book: QueueBook, queues: readonly ServiceQueue[], at = 0, leasing = nobody): void {
  const services = queues.map(({ service }) => service);
  for (const service of services) book.changed(service);
  book.reading(services, at);
  book.read({ services, queues, perService: book.perService, asOf: at }, leasing);
}

const headsOf = (book: QueueBook, now = 0): string[] =>
  book.views(none, now).flatMap(({ heads }) => heads.map(({ jobId }) => jobId));

const waiting = (jobId: string, over: Partial<Waiting> = {}): Waiting => ({
  service: "a",
  jobId,
  because: "capacity",
  lacking: [],
  running: 0,
  limit: null,
  overtaken: 1,
  ...over,
});

describe("QueueBook: what to read", () => {
  it("asks for a queue that changed, and not for one that did not", () => {
    const book = new QueueBook(FRESH_MS);
    book.changed("a");
    expect(book.stale(0)).toEqual(["a"]);
    readAll(book, [answer("a", 3)]);
    expect(book.stale(0)).toEqual([]);
    expect(book.stale(1e9)).toEqual([]);
    book.changed("a");
    expect(book.stale(0)).toEqual(["a"]);
  });

  it("reads a queue with many known heads again only after a while", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 40)], 1000);
    book.changed("a");
    expect(book.stale(1000)).toEqual([]);
    expect(book.nextLook().monotonic).toBe(1000 + FRESH_MS);
    expect(book.stale(1000 + FRESH_MS)).toEqual(["a"]);
  });

  it("reads on when the known heads run out and there are more", () => {
    const book = new QueueBook(FRESH_MS);
    const queue = answer("a", 64, { queued: 500 });
    readAll(book, [queue]);
    book.take(queue.heads.slice(0, 48));
    expect(book.stale(0)).toEqual([]);
    book.take(queue.heads.slice(48, 49));
    expect(book.stale(0)).toEqual(["a"]);
  });

  it("reads again what changed while a read was on its way", () => {
    const book = new QueueBook(FRESH_MS);
    book.changed("a");
    book.reading(["a"], 0);
    book.changed("a");
    book.read({ services: ["a"], queues: [], perService: 64, asOf: 0 }, nobody);
    expect(book.stale(0)).toEqual(["a"]);
  });

  it("forgets a queue that is empty", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 1)]);
    expect(book.believesEmpty("a")).toBe(false);
    readAll(book, [answer("a", 0)]);
    expect(book.believesEmpty("a")).toBe(true);
    expect(book.views(none, 0)).toEqual([]);
    expect(book.place("a", "a-1")).toBe("unknown");
  });

  it("bounds the heads of all services together", () => {
    const book = new QueueBook(FRESH_MS);
    expect(book.perService).toBe(64);
    for (let at = 0; at < 128; at += 1) book.changed(`s${at}`);
    expect(book.perService).toBe(32);
    for (let at = 0; at < 10_000; at += 1) book.changed(`s${at}`);
    expect(book.perService).toBe(4);
  });
});

describe("QueueBook: the view", () => {
  it("hands on heads, concurrency and the count of attempts, of queues with heads only", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 2, { concurrency: 3 }), answer("b", 0, { queued: 4, nextAt: 50 })]);
    const views = book.views((service) => (service === "a" ? 2 : 9), 0);
    expect(views).toMatchObject([{ service: "a", concurrency: 3, active: 2, overtaken: null }]);
    expect(views[0]?.heads).toHaveLength(2);
  });

  it("shows no job twice that a read brings while its lease is written", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 3)], 0, (jobId) => jobId === "a-1");
    expect(headsOf(book)).toEqual(["a-2", "a-3"]);
  });

  it("leaves a job that was set aside out until its time", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 2)]);
    book.setAside("a-1", 500);
    expect(headsOf(book, 499)).toEqual(["a-2"]);
    expect(book.nextLook().monotonic).toBe(500);
    expect(headsOf(book, 500)).toEqual(["a-1", "a-2"]);
    expect(book.nextLook().monotonic).toBe(Number.POSITIVE_INFINITY);
  });

  it("adds up how often the job that waits was overtaken, and begins again with another", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 2)]);
    const overtaken = () => book.views(none, 0)[0]?.overtaken;
    book.waited([waiting("a-1", { overtaken: 2 })]);
    book.waited([waiting("a-1", { overtaken: 3 })]);
    expect(overtaken()).toEqual({ jobId: "a-1", times: 5 });
    readAll(book, [answer("a", 2)], 10);
    expect(overtaken()).toEqual({ jobId: "a-1", times: 5 });
    book.waited([waiting("a-9", { because: "too_large" }), waiting("a-2")]);
    expect(overtaken()).toEqual({ jobId: "a-2", times: 1 });
  });
});

describe("QueueBook: times and places", () => {
  it("tells when the first backoff ends, and reads the queue then", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 40, { nextAt: 900 }), answer("b", 0, { queued: 1, nextAt: 300 })], 100);
    expect(book.nextLook().utc).toBe(300);
    book.due(300);
    expect(book.stale(100)).toEqual(["b"]);
    expect(book.nextLook().utc).toBe(900);
    book.due(900);
    expect(book.stale(100)).toEqual(["a", "b"]);
  });

  it("ignores an end of backoff that is not after the time it asked for, so that it cannot spin", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 0, { queued: 1, nextAt: 100 })], 100);
    expect(book.nextLook()).toEqual({ utc: Number.POSITIVE_INFINITY, monotonic: Number.POSITIVE_INFINITY });
  });

  it("knows where a job stands", () => {
    const book = new QueueBook(FRESH_MS);
    readAll(book, [answer("a", 2, { queued: 5 }), answer("b", 64, { queued: 99 })]);
    expect(book.place("a", "a-2")).toBe("head");
    expect(book.place("a", "a-7")).toBe("blocked");
    expect(book.place("b", "b-77")).toBe("behind");
    expect([book.queued("b"), book.queued("c")]).toEqual([99, 0]);
    book.changed("a");
    expect(book.place("a", "a-7")).toBe("unknown");
    expect(book.place("c", "c-1")).toBe("unknown");
  });
});
