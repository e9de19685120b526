import { describe, expect, it } from "vitest";
import { ClusterSpace } from "./cluster-space.ts";
import { worker } from "./testing/views.ts";

describe("ClusterSpace", () => {
  it("takes from the first worker with room until none has", () => {
    const space = new ClusterSpace([worker("a", { cpu: 1000 }), worker("b", { cpu: 2000 })]);
    const places = Array.from({ length: 4 }, () => space.take({ cpu: 1000 }));
    expect(places.slice(0, 3)).toEqual([{ worker: "a" }, { worker: "b" }, { worker: "b" }]);
    expect(places[3]).toEqual({ because: "capacity", lacking: [{ name: "cpu", need: 1000, free: 0 }] });
  });

  it("places a need that names nothing, while there are slots", () => {
    const space = new ClusterSpace([worker("a", {}, 1)]);
    expect(space.take({})).toEqual({ worker: "a" });
    expect(space.take({})).toEqual({ because: "slots", lacking: [] });
  });

  it("says that no worker is there, also when all have no slots", () => {
    expect(new ClusterSpace([]).take({})).toEqual({ because: "no_worker", lacking: [] });
    expect(new ClusterSpace([worker("a", { cpu: 9 }, 0)]).take({})).toEqual({ because: "no_worker", lacking: [] });
  });

  it("names what is beyond every worker", () => {
    const space = new ClusterSpace([worker("a", { cpu: 500, memory: 8 }), worker("b", { cpu: 900, memory: 4 })]);
    expect(space.take({ cpu: 1000, memory: 2 })).toEqual({
      because: "too_large",
      lacking: [{ name: "cpu", need: 1000, free: 900 }],
    });
    expect(space.take({ gpu: 1 })).toEqual({ because: "too_large", lacking: [{ name: "gpu", need: 1, free: 0 }] });
  });

  it("finds a mix too large that no single worker has, against the first worker", () => {
    const space = new ClusterSpace([worker("a", { cpu: 500, memory: 8 }), worker("b", { cpu: 900, memory: 4 })]);
    expect(space.take({ cpu: 900, memory: 8 })).toEqual({
      because: "too_large",
      lacking: [{ name: "cpu", need: 900, free: 500 }],
    });
  });

  it("explains a shortage on the worker that lacks least, among those that could ever hold it", () => {
    const space = new ClusterSpace([
      worker("small", { memory: 2 }),
      worker("busy", { memory: 10 }, null, { memory: 9 }),
      worker("nearly", { memory: 10 }, null, { memory: 7 }),
    ]);
    expect(space.take({ memory: 4 })).toEqual({
      because: "capacity",
      lacking: [{ name: "memory", need: 4, free: 3 }],
    });
  });

  it("never shows less than nothing free when a worker shrank below what runs on it", () => {
    const space = new ClusterSpace([{ ...worker("a", { memory: 4 }), free: { memory: -2 } }]);
    expect(space.take({ memory: 1 })).toMatchObject({ lacking: [{ name: "memory", need: 1, free: 0 }] });
  });

  it("keeps a held worker for nobody else, and says so", () => {
    const space = new ClusterSpace([
      worker("a", { cpu: 4 }, null, { cpu: 2 }),
      worker("b", { cpu: 4 }, null, { cpu: 3 }),
    ]);
    space.hold({ cpu: 3 });
    expect(space.take({ cpu: 1 })).toEqual({ worker: "b" });
    expect(space.take({ cpu: 1 })).toEqual({ because: "reserved", lacking: [] });
  });

  it("holds a second worker for a second need, and nothing once all are held", () => {
    const space = new ClusterSpace([
      worker("a", { cpu: 4 }, null, { cpu: 2 }),
      worker("b", { cpu: 4 }, null, { cpu: 2 }),
    ]);
    for (let times = 0; times < 3; times += 1) space.hold({ cpu: 4 });
    expect(space.take({ cpu: 1 })).toEqual({ because: "reserved", lacking: [] });
  });
});
