import { z } from "zod";
import { SluiceError } from "../../core/errors.ts";
import { isTerminal } from "../../core/job.ts";
import { type Route, route } from "../route.ts";
import { flag } from "../schemas/common.ts";
import { jobParams } from "../schemas/jobs.ts";
import { jobLog } from "../streams/job-log.ts";
import type { Wakeups } from "../streams/wakeups.ts";
import { jobWithId } from "../subjects.ts";

const logQuery = z.strictObject({
  follow: flag.describe("true goes on, through retries, until the job has ended"),
  attempt: z.coerce.number().int().min(1).optional().describe("Default: the latest"),
  timestamps: flag.describe("true puts each line's arrival time (RFC 3339) before it"),
});

export const jobLogRoutes = (wakeups: Wakeups): readonly Route[] => [
  route({
    id: "getJobLog",
    method: "GET",
    path: "/system/jobs/:id/logs",
    tag: "jobs",
    summary: "What a job's script wrote, live with follow=true",
    errors: "problem",
    access: { kind: "action", action: "job.read" },
    subject: jobWithId,
    hidden: "JOB_UNKNOWN",
    params: jobParams,
    query: logQuery,
    answers: { 200: { description: "The log's bytes as they came", contentType: "text/plain" } },
    async handle(deps, { subject, query, signal }) {
      const { follow, timestamps, attempt = null } = query;
      if (attempt !== null && attempt > subject.attempt && (!follow || isTerminal(subject.state))) {
        const had = `it has had ${subject.attempt} so far`;
        throw new SluiceError("JOB_UNKNOWN", `Cannot show attempt ${attempt} of job "${subject.id}": ${had}`);
      }
      const stream = jobLog(deps, wakeups, { job: subject, attempt, follow, timestamps, signal });
      return { status: 200, stream, userMade: true };
    },
  }),
];
