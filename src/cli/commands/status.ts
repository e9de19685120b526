import type { Status } from "../../client/client.ts";
import { formatBytes } from "../../core/resources.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { connect } from "../connect.ts";
import { type Io, say } from "../io.ts";
import { FORMAT_OPTION, parseFormat, printData } from "../listing.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { renderTable } from "../table.ts";
import { counted } from "../text.ts";
import { durationText } from "../units.ts";

export const command = defineCommand({
  name: "status",
  summary: "Show capacity and queues",
  usage: ["status [-o FORMAT]"],
  options: { ...FORMAT_OPTION, ...SERVER_OPTIONS },
  examples: ["sluice status", "sluice status -o json"],
  async run({ flags, positionals }, io) {
    expectArguments("status", positionals, 0, 0);
    const format = parseFormat(flags.output);
    const { client, target } = await connect(flags, io);
    const status = await client.getStatus();
    if (format === "json" || format === "yaml") await printData(io, format, status);
    else if (format === "name") for (const { service } of status.sluice.queues) say(io, service);
    else printStatus(status, target.endpoint, io);
    return 0;
  },
});

function storeText({ sluice, minio }: Status): string {
  const { damaged_blobs: damaged } = sluice.store;
  const counts = `${counted(minio.buckets_count, "bucket")}, ${counted(minio.total_objects, "object")}`;
  return damaged === 0 ? counts : `${counts}; ${damaged} damaged (see: sluice store check)`;
}

function printStatus(status: Status, endpoint: string, io: Io): void {
  const { sluice } = status;
  const { driver, works, guards } = sluice.sandbox;
  const weak = guards.filter(({ state }) => state !== "enforced").length;
  const sandbox = works
    ? `${driver}${weak === 0 ? "" : `, ${weak} guards weaker or missing (see: sluice doctor)`}`
    : `${driver} does not work (see: sluice doctor)`;
  say(
    io,
    `Server   ${endpoint}, version ${sluice.version}, up ${durationText(sluice.uptime_seconds * 1000)}${sluice.draining ? ", stopping" : ""}`,
  );
  say(io, `Store    ${storeText(status)}`);
  say(io, `Sandbox  ${sandbox}`);
  say(io, "");
  io.stdout.write(renderTable(sluice.workers, WORKER_COLUMNS, io.columns));
  if (sluice.queues.length === 0) return;
  say(io, "");
  io.stdout.write(renderTable(sluice.queues, QUEUE_COLUMNS, io.columns));
}

type Worker = Status["sluice"]["workers"][number];
type Queue = Status["sluice"]["queues"][number];

const WORKER_COLUMNS = [
  { title: "WORKER", value: (worker: Worker) => worker.name, flexible: true },
  { title: "BACKEND", value: (worker: Worker) => worker.backend },
  {
    title: "RUNNING",
    value: (worker: Worker) => (worker.slots === null ? `${worker.attempts}` : `${worker.attempts}/${worker.slots}`),
    align: "right" as const,
  },
  {
    title: "CPU",
    value: (worker: Worker) => share(worker, "cpu", (milli) => String(milli / 1000)),
    align: "right" as const,
  },
  { title: "MEMORY", value: (worker: Worker) => share(worker, "memory", formatBytes), align: "right" as const },
  { title: "DISK", value: (worker: Worker) => share(worker, "disk", formatBytes), align: "right" as const },
];

function share({ reserved, capacity }: Worker, name: string, text: (amount: number) => string): string {
  const most = capacity[name];
  return most === undefined ? "" : `${text(reserved[name] ?? 0)}/${text(most)}`;
}

const count = (state: keyof Queue["counts"]) => (queue: Queue) => String(queue.counts[state] ?? 0);

const QUEUE_COLUMNS = [
  { title: "SERVICE", value: (queue: Queue) => queue.service, flexible: true },
  { title: "QUEUED", value: count("QUEUED"), align: "right" as const },
  { title: "RUNNING", value: count("RUNNING"), align: "right" as const },
  { title: "SUCCEEDED", value: count("SUCCEEDED"), align: "right" as const },
  { title: "FAILED", value: count("FAILED"), align: "right" as const },
  { title: "CANCELLED", value: count("CANCELLED"), align: "right" as const },
  { title: "WAITS FOR", value: (queue: Queue) => queue.waits_for ?? "", flexible: true },
];
