import { isAdmin, type Principal } from "../../core/principal.ts";
import type { DispatchView } from "../../dispatch/dispatch.ts";
import type { ServiceCounts, StateStats } from "../../state/state.ts";
import type { GatewayDeps } from "../deps.ts";
import type { MetricFamily, Sample } from "./exposition.ts";

/** Of the whole server for administrators and for everybody when metrics are public; users see no service of others. */
export async function serverMetrics(deps: GatewayDeps, by: Principal): Promise<MetricFamily[]> {
  const { state } = deps;
  const [counts, stats, damaged] = await Promise.all([state.counts(), state.stats(), state.damagedCount()]);
  const all = isAdmin(by) || deps.facts.metricsPublic;
  const shown = all ? counts : counts.filter(({ owner }) => owner === by.subject);
  return [
    gauge("sluice_build_info", "Always 1; the label says which version runs", [
      { labels: { version: deps.facts.version }, value: 1 },
    ]),
    ...jobMetrics(shown),
    ...workerMetrics(deps.dispatcher.view()),
    ...stateMetrics(stats),
    gauge("sluice_store_damaged_blobs", "Blobs that checks of the store found damaged", [{ value: damaged }]),
    ...processMetrics(),
  ];
}

function jobMetrics(counts: readonly ServiceCounts[]): MetricFamily[] {
  const byState = counts.flatMap((row) =>
    Object.entries(row.counts).map(([state, value]) => ({ labels: { service: row.service, state }, value })),
  );
  const depth = counts.map((row) => ({ labels: { service: row.service }, value: row.counts.QUEUED }));
  return [gauge("sluice_jobs", "Jobs kept, by state", byState), gauge("sluice_queue_depth", "Jobs that wait", depth)];
}

function workerMetrics({ workers, draining }: DispatchView): MetricFamily[] {
  const each = (value: (worker: DispatchView["workers"][number]) => number): Sample[] =>
    workers.map((worker) => ({ labels: { worker: worker.name }, value: value(worker) }));
  return [
    gauge(
      "sluice_attempts_running",
      "Attempts that hold capacity",
      each((worker) => worker.attempts),
    ),
    gauge(
      "sluice_worker_cpu_cores",
      "Cores that attempts may reserve",
      each(({ capacity }) => (capacity.cpu ?? 0) / 1000),
    ),
    gauge(
      "sluice_worker_reserved_cpu_cores",
      "Cores reserved",
      each(({ reserved }) => (reserved.cpu ?? 0) / 1000),
    ),
    gauge(
      "sluice_worker_memory_bytes",
      "Memory that attempts may reserve",
      each(({ capacity }) => capacity.memory ?? 0),
    ),
    gauge(
      "sluice_worker_reserved_memory_bytes",
      "Memory reserved",
      each(({ reserved }) => reserved.memory ?? 0),
    ),
    gauge("sluice_draining", "1 while the server takes no new work", [{ value: draining ? 1 : 0 }]),
  ];
}

function stateMetrics(stats: StateStats): MetricFamily[] {
  return [
    counter("sluice_state_commits_total", "Groups of transactions committed together", stats.commits),
    counter("sluice_state_transactions_total", "Transactions in those groups", stats.members),
    counter("sluice_state_fsyncs_total", "Times the database was forced to disk", stats.fsyncs),
    gauge("sluice_state_largest_group", "Most transactions in one commit", [{ value: stats.largestGroup }]),
  ];
}

function processMetrics(): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1000 - process.uptime();
  return [
    gauge("process_resident_memory_bytes", "Resident memory of the server", [{ value: process.memoryUsage.rss() }]),
    counter("process_cpu_seconds_total", "CPU time of the server", (user + system) / 1e6),
    gauge("process_start_time_seconds", "When the server started, Unix time", [{ value: started }]),
  ];
}

const gauge = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
  name,
  type: "gauge",
  help,
  samples,
});

const counter = (name: string, help: string, value: number): MetricFamily => ({
  name,
  type: "counter",
  help,
  samples: [{ value }],
});
