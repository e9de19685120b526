import { SluiceError } from "../core/errors.ts";
import { isTerminal, type Job } from "../core/job.ts";
import { isAdmin, type Principal } from "../core/principal.ts";
import type { Dispatcher } from "../dispatch/dispatch.ts";
import { decide } from "../identity/decide.ts";
import type { Action } from "../identity/identity.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { LogStore } from "../logs/logs.ts";
import type { State } from "../state/state.ts";
import type { Jobs } from "./jobs.ts";
import { waitSentence } from "./wait-sentence.ts";

export interface JobsOptions {
  readonly state: Pick<
    State,
    | "service"
    | "enqueue"
    | "job"
    | "jobs"
    | "attempts"
    | "jobOutputs"
    | "jobEvent"
    | "cancelJob"
    | "retryJob"
    | "deleteJob"
  >;
  readonly dispatcher: Pick<Dispatcher, "stopAttempt" | "reason" | "view">;
  readonly logs: Pick<LogStore, "remove">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Outputs shown with a job; very many are listed through their bucket. */
const SHOWN_OUTPUTS = 1000;

export function createJobs(options: JobsOptions): Jobs {
  const { state, dispatcher, clock } = options;

  /** The job, when this principal may do that with it. Unknown and forbidden answer the same: nobody learns what others have. */
  async function allowed(by: Principal, action: Action, jobId: string): Promise<Job> {
    const job = await state.job(jobId);
    if (job && decide(by, action, { kind: "job", name: jobId, owner: job.owner })) return job;
    throw new SluiceError(
      "JOB_UNKNOWN",
      `Cannot find job "${jobId}": there is none of that id that you may see (see: sluice jobs)`,
    );
  }

  function mustAccept(): void {
    if (dispatcher.view().draining)
      throw new SluiceError("STOPPING", "Cannot accept a job: the server is stopping (try again when it is back)");
  }

  async function waitsFor(job: Job): Promise<string | null> {
    if (job.state !== "QUEUED") return null;
    const now = clock.now();
    if (job.notBefore > now)
      return `waits until ${new Date(job.notBefore).toISOString()} before attempt ${job.attempt + 1}`;
    const reason = dispatcher.reason(job.service, job.id);
    return reason && waitSentence(reason);
  }

  return {
    async submit(by, submission) {
      mustAccept();
      const { service: name } = submission;
      const service = await state.service(name);
      if (!service || !decide(by, "service.invoke", { kind: "service", name, owner: service.owner })) {
        throw new SluiceError(
          "SERVICE_UNKNOWN",
          `Cannot call "${name}": there is no such service that you may call (see: sluice services)`,
        );
      }
      return state.enqueue({ by, ...submission });
    },
    async get(by, jobId) {
      const job = await allowed(by, "job.read", jobId);
      const [attempts, outputs, waits] = await Promise.all([
        state.attempts(jobId),
        state.jobOutputs(jobId, SHOWN_OUTPUTS),
        waitsFor(job),
      ]);
      return { job, attempts, outputs, waitsFor: waits };
    },
    async list(by, query) {
      // A token's subject is a service: jobs of a user who has that name are not its own.
      if (!decide(by, "job.read", { kind: "job", name: "", owner: by.subject })) {
        throw new SluiceError("FORBIDDEN", `Cannot list jobs: the token of service "${by.subject}" may only call it`);
      }
      return state.jobs({ ...query, owner: isAdmin(by) ? null : by.subject });
    },
    async event(by, jobId) {
      await allowed(by, "job.read", jobId);
      const event = await state.jobEvent(jobId);
      if (event) return event;
      throw new SluiceError("JOB_UNKNOWN", `Cannot show the event of job "${jobId}": the job was removed meanwhile`);
    },
    async cancel(by, jobId) {
      await allowed(by, "job.write", jobId);
      const { job, running } = await state.cancelJob(by, jobId, clock.now());
      // The job is CANCELLED now; its attempt may take a while to die, and its capacity is free only then.
      if (running) {
        dispatcher
          .stopAttempt(running)
          .catch((error: unknown) =>
            options.log.error("a cancelled attempt could not be stopped", { job: jobId, error }),
          );
      }
      return job;
    },
    async retry(by, jobId) {
      mustAccept();
      await allowed(by, "job.write", jobId);
      return state.retryJob(by, jobId, clock.now());
    },
    async remove(by, jobId) {
      const job = await allowed(by, "job.write", jobId);
      if (!isTerminal(job.state)) {
        throw new SluiceError(
          "JOB_STATE",
          `Cannot remove job "${jobId}": it is ${job.state} (cancel it first: sluice jobs cancel ${jobId})`,
        );
      }
      await state.deleteJob(by, jobId);
      // The job is gone, whatever becomes of its log files.
      await options.logs.remove([jobId]).catch((error: unknown) => {
        options.log.error("the log files of a removed job could not be removed", { job: jobId, error });
      });
    },
  };
}
