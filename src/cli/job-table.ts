import type { Job, JobDetail } from "../client/client.ts";
import type { Column } from "./table.ts";
import { bytesText, durationText, localTime } from "./units.ts";

/** The columns of every list of jobs. */
export const JOB_COLUMNS: readonly Column<Job>[] = [
  { title: "JOB", value: (job) => job.id },
  { title: "STATE", value: (job) => job.state },
  { title: "REASON", value: (job) => job.reason ?? "" },
  { title: "CREATED", value: (job) => localTime(job.created_at), optional: true },
  { title: "TOOK", value: tookText, align: "right", optional: true },
  { title: "OUT", value: (job) => String(job.output_count), align: "right", optional: true },
  { title: "INPUT", value: inputText, flexible: true },
];

function tookText({ started_at: from, ended_at: to }: Job): string {
  return from === null || to === null ? "" : durationText(Date.parse(to) - Date.parse(from));
}

function inputText({ input }: Pick<Job, "input">): string {
  return input === null ? "(sent with the call)" : `${input.bucket}/${input.key}`;
}

/** What there is to know of one job, line by line; empty values are left out when printed. */
export function jobFacts(job: JobDetail): [string, string][] {
  const { usage } = job;
  return [
    ["job", job.id],
    ["service", job.service],
    ["state", job.state],
    ["waits for", job.waits_for ?? ""],
    ["reason", job.reason ?? ""],
    ["message", job.message],
    ["exit code", job.exit_code === null ? "" : String(job.exit_code)],
    ["signal", job.signal ?? ""],
    ["input", inputText(job)],
    ["run", job.run ?? ""],
    ["owner", job.owner],
    ["revision", job.revision],
    ["started by", job.parent_job ?? ""],
    ["retry of", job.retry_of ?? ""],
    ["created", localTime(job.created_at)],
    ["started", job.started_at === null ? "" : localTime(job.started_at)],
    ["ended", job.ended_at === null ? "" : localTime(job.ended_at)],
    ["took", tookText(job)],
    ["cpu time", usage?.cpu_ms == null ? "" : durationText(usage.cpu_ms)],
    ["memory", usage?.memory_peak_bytes == null ? "" : `${bytesText(usage.memory_peak_bytes)} at most`],
    ["replaced", job.replaced_outputs === 0 ? "" : `${job.replaced_outputs} outputs of other jobs`],
    ...job.attempts.map((attempt): [string, string] => [`attempt ${attempt.number}`, attemptText(attempt)]),
    ...job.outputs.map((output): [string, string] => [
      "output",
      `${output.bucket}/${output.key}  ${bytesText(output.size_bytes)}`,
    ]),
  ];
}

function attemptText(attempt: JobDetail["attempts"][number]): string {
  const end =
    attempt.outcome === null ? attempt.state : `${attempt.outcome}${attempt.message && `: ${attempt.message}`}`;
  return `${localTime(attempt.leased_at)} on ${attempt.worker}: ${end}`;
}
