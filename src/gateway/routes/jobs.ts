import type { z } from "zod";
import type { JobQuery } from "../../state/state.ts";
import { empty, json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { job, jobDetail, jobPage, jobParams, jobQuery } from "../schemas/jobs.ts";
import { jobWithId, ownThings } from "../subjects.ts";
import { jobDetailView, jobView } from "../views/job-view.ts";

const TAG = "jobs";
const PATH = "/system/jobs";
const ONE_JOB = { tag: TAG, errors: "problem", params: jobParams, subject: jobWithId, hidden: "JOB_UNKNOWN" } as const;

export const jobRoutes: readonly Route[] = [
  route({
    id: "listJobs",
    method: "GET",
    path: PATH,
    tag: TAG,
    summary: "Jobs, newest first; for the administrator everybody's",
    errors: "problem",
    access: { kind: "action", action: "job.read" },
    subject: ownThings("job"),
    query: jobQuery,
    answers: { 200: { description: "A page of jobs", schema: jobPage } },
    async handle({ jobs }, { by, query }) {
      const page = await jobs.list(by, asJobQuery(query));
      return json({ jobs: page.jobs.map(jobView), next: page.next });
    },
  }),
  route({
    ...ONE_JOB,
    id: "getJob",
    method: "GET",
    path: `${PATH}/:id`,
    summary: "One job with its attempts, outputs and what it waits for",
    access: { kind: "action", action: "job.read" },
    answers: { 200: { description: "The job", schema: jobDetail } },
    handle: async ({ jobs }, { by, params }) => json(jobDetailView(await jobs.get(by, params.id))),
  }),
  route({
    ...ONE_JOB,
    id: "removeJob",
    method: "DELETE",
    path: `${PATH}/:id`,
    summary: "Remove a finished job with its log; its outputs stay",
    access: { kind: "action", action: "job.write" },
    answers: { 204: { description: "Removed" } },
    async handle({ jobs }, { by, params }) {
      await jobs.remove(by, params.id);
      return empty(204);
    },
  }),
  route({
    ...ONE_JOB,
    id: "cancelJob",
    method: "POST",
    path: `${PATH}/:id/cancel`,
    summary: "End a job that waits or runs",
    access: { kind: "action", action: "job.write" },
    answers: { 200: { description: "The cancelled job; its attempt may still be dying", schema: job } },
    handle: async ({ jobs }, { by, params }) => json(jobView(await jobs.cancel(by, params.id))),
  }),
  route({
    ...ONE_JOB,
    id: "retryJob",
    method: "POST",
    path: `${PATH}/:id/retry`,
    summary: "Run a finished job's input again, by a new job on the service's current revision",
    access: { kind: "action", action: "job.write" },
    startsWork: true,
    answers: { 201: { description: "The new job", schema: job, headers: { Location: "Where the new job is" } } },
    async handle({ jobs }, { by, params }) {
      const retried = await jobs.retry(by, params.id);
      return { ...json(jobView(retried), 201), headers: { location: jobLocation(retried.id) } };
    },
  }),
];

/** Where a job is, relative to this server's address, whatever that is from outside. */
export const jobLocation = (id: string): string => `${PATH}/${encodeURIComponent(id)}`;

function asJobQuery(query: z.output<typeof jobQuery>): Omit<JobQuery, "owner"> {
  return {
    limit: query.limit,
    ...(query.service === undefined ? {} : { service: query.service }),
    ...(query.state === undefined ? {} : { states: query.state }),
    ...(query.since === undefined ? {} : { since: query.since }),
    ...(query.run === undefined ? {} : { runName: query.run }),
    ...(query.after === undefined ? {} : { after: query.after }),
  };
}
