import { isTerminal, type Job, type JobState } from "../../core/job.ts";
import type { Principal } from "../../core/principal.ts";
import { empty, json, rfc3339 } from "../answers.ts";
import type { GatewayDeps } from "../deps.ts";
import { decodePage, encodePage } from "../page-token.ts";
import { type Route, route } from "../route.ts";
import {
  removeLogsQuery,
  type ServiceLogs,
  serviceLogParams,
  serviceLogQuery,
  serviceLogs,
  serviceLogsParams,
  serviceLogsQuery,
} from "../schemas/service-logs.ts";
import { jobLog } from "../streams/job-log.ts";
import type { Wakeups } from "../streams/wakeups.ts";
import { jobOfService, serviceNamed } from "../subjects.ts";
import { oscarStatus } from "../views/job-view.ts";

const TAG = "logs";
const OF_SERVICE = "/system/logs/:name";
const OF_JOB = "/system/logs/:name/:job";
/** OSCAR's page. */
const PAGE = 70;
const REMOVED_AT_ONCE = 200;

export const serviceLogRoutes = (wakeups: Wakeups): readonly Route[] => [
  route({
    id: "listServiceLogs",
    method: "GET",
    path: OF_SERVICE,
    tag: TAG,
    summary: "A service's jobs in OSCAR's form, newest first",
    errors: "oscar",
    access: { kind: "action", action: "job.read" },
    subject: serviceNamed,
    hidden: "SERVICE_UNKNOWN",
    params: serviceLogsParams,
    query: serviceLogsQuery,
    answers: { 200: { description: "A page of jobs", schema: serviceLogs } },
    handle: async (deps, { by, params, query }) => json(await logsPage(deps, by, params.name, query.page)),
  }),
  route({
    id: "removeServiceLogs",
    method: "DELETE",
    path: OF_SERVICE,
    tag: TAG,
    summary: "Remove a service's finished jobs with their logs",
    errors: "oscar",
    access: { kind: "action", action: "job.write" },
    subject: serviceNamed,
    hidden: "SERVICE_UNKNOWN",
    params: serviceLogsParams,
    query: removeLogsQuery,
    answers: { 204: { description: "Removed" } },
    async handle(deps, { by, params, query, signal }) {
      await removeJobs(deps, by, params.name, query.all ? null : ["SUCCEEDED"], signal);
      return empty(204);
    },
  }),
  route({
    id: "getServiceLog",
    method: "GET",
    path: OF_JOB,
    tag: TAG,
    summary: "The log of one of a service's jobs",
    errors: "oscar",
    access: { kind: "action", action: "job.read" },
    subject: jobOfService,
    hidden: "JOB_UNKNOWN",
    params: serviceLogParams,
    query: serviceLogQuery,
    answers: { 200: { description: "The log of the latest attempt", contentType: "text/plain" } },
    async handle(deps, { subject, query, signal }) {
      const { timestamps } = query;
      const stream = jobLog(deps, wakeups, { job: subject, attempt: null, follow: false, timestamps, signal });
      return { status: 200, stream, userMade: true };
    },
  }),
  route({
    id: "removeServiceLog",
    method: "DELETE",
    path: OF_JOB,
    tag: TAG,
    summary: "Remove one of a service's jobs with its log, ending it if it runs",
    errors: "oscar",
    access: { kind: "action", action: "job.write" },
    subject: jobOfService,
    hidden: "JOB_UNKNOWN",
    params: serviceLogParams,
    answers: { 204: { description: "Removed" } },
    async handle(deps, { by, subject }) {
      await endAndRemove(deps, by, subject);
      return empty(204);
    },
  }),
];

async function logsPage(deps: GatewayDeps, by: Principal, service: string, token: string): Promise<ServiceLogs> {
  const { after, seen } = decodePage(token);
  const [page, counts] = await Promise.all([
    deps.jobs.list(by, { service, limit: PAGE, ...(after === "" ? {} : { after }) }),
    deps.state.counts(),
  ]);
  const total = counts
    .filter((row) => row.service === service)
    .reduce((sum, row) => sum + Object.values(row.counts).reduce((a, b) => a + b, 0), 0);
  const shown = seen + page.jobs.length;
  return {
    jobs: Object.fromEntries(page.jobs.map((job) => [job.id, jobInfo(job)])),
    next_page: page.next === null ? "" : encodePage({ after: page.next, seen: shown }),
    remaining_jobs: page.next === null ? 0 : Math.max(0, total - shown),
  };
}

function jobInfo(job: Job): ServiceLogs["jobs"][string] {
  return {
    status: oscarStatus(job.state),
    creation_time: rfc3339(job.createdAt),
    ...(job.startedAt === null ? {} : { start_time: rfc3339(job.startedAt) }),
    ...(job.endedAt === null ? {} : { finish_time: rfc3339(job.endedAt) }),
  };
}

/** Removes page after page; jobs that begin while it works stay. */
async function removeJobs(
  deps: GatewayDeps,
  by: Principal,
  service: string,
  states: readonly JobState[] | null,
  signal: AbortSignal,
): Promise<void> {
  let after: string | null = "";
  while (after !== null && !signal.aborted) {
    const page = await deps.jobs.list(by, {
      service,
      limit: REMOVED_AT_ONCE,
      ...(states === null ? {} : { states }),
      ...(after === "" ? {} : { after }),
    });
    for (const job of page.jobs) await endAndRemove(deps, by, job);
    after = page.next;
  }
}

async function endAndRemove({ jobs }: GatewayDeps, by: Principal, job: Job): Promise<void> {
  if (!isTerminal(job.state)) await jobs.cancel(by, job.id);
  await jobs.remove(by, job.id);
}
