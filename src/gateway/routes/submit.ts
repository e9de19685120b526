import { z } from "zod";
import type { Job } from "../../core/job.ts";
import { empty } from "../answers.ts";
import { type Answer, type Route, route } from "../route.ts";
import { serviceParams } from "../schemas/services.ts";
import { serviceNamed } from "../subjects.ts";
import { submitEvent } from "../submit-event.ts";
import { jobLocation } from "./jobs.ts";

/** A header longer than about 16 KiB is refused by most clients; `Job-Count` tells when there were more. */
const MOST_IDS = 100;

const submitQuery = z.object({
  run: z.string().max(200).optional().describe("A name for the run that this job belongs to"),
});

export const submitRoutes: readonly Route[] = [
  route({
    id: "submitJob",
    method: "POST",
    path: "/job/:name",
    tag: "jobs",
    summary: "Run a service in the background: on the objects that an S3 or MinIO notification names, else on the body",
    errors: "oscar",
    access: { kind: "action", action: "service.invoke" },
    subject: serviceNamed,
    hidden: "SERVICE_UNKNOWN",
    params: serviceParams,
    query: submitQuery,
    body: "raw",
    startsWork: true,
    answers: {
      201: {
        description: "Accepted; a test event makes no job",
        headers: {
          Location: "Where the first job is",
          "Job-Id": "The jobs' ids, with commas; the first 100 of more",
          "Job-Count": "How many jobs were made",
        },
      },
    },
    async handle(deps, { by, lineage, subject, query, headers, stream }) {
      const runName = query.run ?? null;
      return accepted(await submitEvent(deps, { by, lineage, service: subject, runName, headers, stream }));
    },
  }),
];

function accepted(jobs: readonly Job[]): Answer {
  const [first] = jobs;
  if (first === undefined) return empty(201, { "job-count": "0" });
  const ids = jobs.slice(0, MOST_IDS).map((job) => job.id);
  return empty(201, {
    location: jobLocation(first.id),
    "job-id": ids.join(","),
    "job-count": String(jobs.length),
  });
}
