import { describe, expect, it } from "vitest";
import { backendWorkers } from "./backend-workers.ts";
import { HeldBackend } from "./testing/held-backend.ts";
import { QueueState } from "./testing/queue-state.ts";

const view = (name: string) => ({ name, capacity: { cpu: 1 }, slots: 2 });
const backend = (name: string, ...workers: string[]) => new HeldBackend(new QueueState(), workers.map(view), name);

describe("backendWorkers", () => {
  it("lists the workers of all backends in order, each with its backend", async () => {
    const workers = await backendWorkers([backend("local", "here"), backend("none"), backend("far", "n1", "n2")]);
    expect(workers.map(({ name, backend: of }) => `${of}/${name}`)).toEqual(["local/here", "far/n1", "far/n2"]);
    expect(workers[0]).toEqual({ ...view("here"), backend: "local" });
  });

  it("refuses two workers of one name", async () => {
    const twice = backendWorkers([backend("local", "n1"), backend("far", "n1")]);
    await expect(twice).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining('"n1"') });
  });
});
