import { describe, expect, it } from "vitest";
import { head, seededRandom } from "../scheduler/testing/views.ts";
import { CapacityLedger, type LedgerWorker, type Reservation } from "./capacity-ledger.ts";

const worker = (name: string, cpu: number, slots: number | null = null): LedgerWorker => ({
  name,
  backend: "local",
  capacity: { cpu, memory: 8 },
  slots,
});
const lease = (jobId: string, attempt = 1) => ({ jobId, attempt, worker: "w" });

function ledgerOf(...workers: LedgerWorker[]): CapacityLedger {
  const ledger = new CapacityLedger();
  ledger.setWorkers(workers);
  return ledger;
}

describe("CapacityLedger", () => {
  it("takes a need from its worker and gives it back once", () => {
    const ledger = ledgerOf(worker("v", 4, 2), worker("w", 4));
    const reservation = ledger.reserve(head("a", 1, { cpu: 3 }), "v");
    expect(ledger.freeWorkers()).toEqual([
      { name: "v", capacity: { cpu: 4, memory: 8 }, free: { cpu: 1, memory: 8 }, slots: 2, freeSlots: 1 },
      { name: "w", capacity: { cpu: 4, memory: 8 }, free: { cpu: 4, memory: 8 }, slots: null, freeSlots: null },
    ]);
    expect(ledger.free(reservation)).toBe(true);
    expect(ledger.free(reservation)).toBe(false);
    expect(ledger.view()[0]).toMatchObject({ reserved: { cpu: 0 }, attempts: 0 });
  });

  it("counts a service's attempts until their capacity is free", () => {
    const ledger = ledgerOf(worker("w", 9));
    const [one, two] = [ledger.reserve(head("a", 1, {}), "w"), ledger.reserve(head("a", 2, {}), "w")];
    expect(ledger.active("a")).toBe(2);
    ledger.assign(one, lease("a-1"));
    ledger.free(one);
    ledger.free(one);
    expect([ledger.active("a"), ledger.active("b")]).toEqual([1, 0]);
    ledger.free(two);
    expect(ledger.active("a")).toBe(0);
  });

  it("knows a job while its lease is written and its attempt afterwards", () => {
    const ledger = ledgerOf(worker("w", 9));
    const reservation = ledger.reserve(head("a", 1, {}), "w");
    expect(ledger.leasing("a-1")).toBe(reservation);
    ledger.assign(reservation, lease("a-1", 3));
    expect(ledger.leasing("a-1")).toBeUndefined();
    expect(ledger.leased(lease("a-1", 3))).toBe(reservation);
    expect(ledger.leased(lease("a-1", 2))).toBeUndefined();
    ledger.free(reservation);
    expect(ledger.leased(lease("a-1", 3))).toBeUndefined();
  });

  it("holds two attempts of one job while the first is dying", () => {
    const ledger = ledgerOf(worker("w", 9));
    const dying = ledger.reserve(head("a", 1, { cpu: 1 }), "w");
    ledger.assign(dying, lease("a-1", 1));
    const next = ledger.reserve(head("a", 1, { cpu: 1 }), "w");
    ledger.free(dying);
    expect(ledger.leasing("a-1")).toBe(next);
    ledger.assign(next, lease("a-1", 2));
    expect(ledger.leased(lease("a-1", 2))).toBe(next);
    expect(ledger.active("a")).toBe(1);
  });

  it("is full only when every worker is out of slots", () => {
    expect(new CapacityLedger().full()).toBe(false);
    const ledger = ledgerOf(worker("v", 9, 1), worker("w", 9, 1));
    const first = ledger.reserve(head("a", 1, {}), "v");
    expect(ledger.full()).toBe(false);
    ledger.reserve(head("a", 2, {}), "w");
    expect(ledger.full()).toBe(true);
    ledger.free(first);
    expect(ledger.full()).toBe(false);
    expect(ledgerOf(worker("w", 0)).full()).toBe(false);
  });

  it("keeps what runs on a worker that is gone, and forgets the worker with its last attempt", () => {
    const ledger = ledgerOf(worker("v", 4), worker("w", 4));
    const reservation = ledger.reserve(head("a", 1, { cpu: 3 }), "v");
    ledger.setWorkers([worker("w", 4)]);
    expect(ledger.view().map(({ name, attempts, slots }) => [name, attempts, slots])).toEqual([
      ["v", 1, 0],
      ["w", 0, null],
    ]);
    ledger.free(reservation);
    expect(ledger.view().map(({ name }) => name)).toEqual(["w"]);
  });

  it("counts what runs against a worker that comes back, or that shrank", () => {
    const ledger = ledgerOf(worker("w", 4, 3));
    ledger.reserve(head("a", 1, { cpu: 3 }), "w");
    ledger.setWorkers([]);
    ledger.setWorkers([worker("w", 2, 1)]);
    expect(ledger.freeWorkers()).toMatchObject([{ free: { cpu: -1 }, slots: 1, freeSlots: 0 }]);
  });

  it("refuses a worker it does not know", () => {
    expect(() => ledgerOf().reserve(head("a", 1, {}), "w")).toThrowError(/no such worker/);
  });

  it("tells when nothing is reserved any more", async () => {
    const ledger = ledgerOf(worker("w", 9));
    await ledger.whenIdle();
    const [one, two] = [ledger.reserve(head("a", 1, {}), "w"), ledger.reserve(head("a", 2, {}), "w")];
    const seen: string[] = [];
    const idle = ledger.whenIdle().then(() => seen.push("idle"));
    ledger.free(one);
    await Promise.resolve();
    seen.push("one left");
    ledger.free(two);
    await idle;
    expect(seen).toEqual(["one left", "idle"]);
  });

  it("balances under any order of reserving, assigning and freeing twice", () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const random = seededRandom(seed);
      const ledger = ledgerOf(worker("v", 50, 20), worker("w", 50));
      const open: Reservation[] = [];
      for (let step = 1; step < 200; step += 1) {
        const at = Math.floor(random() * (open.length + 1));
        const chosen = open[at];
        if (!chosen) open.push(ledger.reserve(head("a", step, { cpu: step % 3 }), step % 2 === 0 ? "v" : "w"));
        else if (random() < 0.3) ledger.assign(chosen, lease(chosen.jobId));
        else if (ledger.free(chosen)) open.splice(at, 1);
        for (const { name, reserved, attempts } of ledger.view()) {
          const mine = open.filter((each) => each.worker === name);
          const cpu = mine.reduce((sum, { resources }) => sum + (resources.cpu ?? 0), 0);
          expect([reserved.cpu ?? 0, attempts], `seed ${seed}`).toEqual([cpu, mine.length]);
        }
        expect(ledger.active("a"), `seed ${seed}`).toBe(open.length);
      }
    }
  });
});
