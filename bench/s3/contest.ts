import { readFile } from "node:fs/promises";
import type { BenchResult } from "../bench.ts";
import { median } from "../statistics.ts";
import type { Contender } from "./servers.ts";

/** What one server reached in all rounds. */
export interface Score {
  readonly name: string;
  /** Of the rounds: per second, more is better. */
  readonly median: number;
  readonly values: readonly number[];
  /** Processor time of the server, all threads, in ms per unit of work. It varies less than the rates on a busy machine. */
  readonly cpuMs: number;
}

/** One round on one server: returns the work done and the seconds it took. */
export type Round = (server: Contender, round: number) => Promise<{ readonly work: number; readonly seconds: number }>;

/** Interleaved rounds, A B C A B C, so that what else the machine does meets all alike. Round 0 warms up and does not count. */
export async function contest(servers: readonly Contender[], rounds: number, play: Round): Promise<Score[]> {
  const values = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  const cpu = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const server of servers) {
      const before = await cpuMs(server.pid);
      const { work, seconds } = await play(server, round);
      if (round === 0) continue;
      values.get(server.name)?.push(work / seconds);
      cpu.get(server.name)?.push(((await cpuMs(server.pid)) - before) / work);
    }
  }
  return servers.map(({ name }) => {
    const own = values.get(name) ?? [];
    return { name, values: own, median: median(own), cpuMs: median(cpu.get(name) ?? []) };
  });
}

const TICKS_PER_SECOND = 100;

async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Compares Sluice with the best of the peers named. Where none of them is installed there is nothing to compare with. */
export function verdict(
  scores: readonly Score[],
  against: readonly string[],
  least: number,
  notes: readonly string[],
): BenchResult {
  const [sluice] = scores;
  if (sluice === undefined) throw new Error("Cannot judge no scores");
  const peers = scores.filter(({ name }) => against.includes(name));
  const floor = peers.length === 0 ? null : Math.max(...peers.map((score) => score.median));
  const ratio = floor === null ? null : sluice.median / floor;
  const all = [...scores.map(describe), ...notes];
  if (peers.length < against.length) all.push("a peer is not installed: run scripts/setup.sh --peers");
  return {
    value: sluice.median,
    floor,
    ratio,
    target: `≥ ${least} × ${against.length > 1 ? "the faster of " : ""}${against.join(", ")}`,
    ok: ratio === null || ratio >= least,
    notes: all,
  };
}

function describe({ name, median: middle, values, cpuMs: cpu }: Score): string {
  const spread = values.map((value) => (value >= 100 ? value.toFixed(0) : value.toFixed(2))).join(" ");
  return `${name.padEnd(9)} ${middle.toPrecision(4)} /s (${spread}), cpu ${cpu.toPrecision(3)} ms each`;
}
