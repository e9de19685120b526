import type { Job } from "../client/client.ts";
import { counted } from "./text.ts";

/** More failures than this are counted, not told one by one. */
const MOST_TOLD = 20;

/** How a set of jobs ended. Bounded: it keeps a few failed jobs, not all jobs. */
export class JobTally {
  succeeded = 0;
  failed = 0;
  cancelled = 0;
  readonly #told: Job[] = [];
  readonly #replaced = new Map<string, number>();

  add(job: Job): void {
    if (job.state === "SUCCEEDED") this.succeeded += 1;
    else if (job.state === "CANCELLED") this.cancelled += 1;
    else if (job.state === "FAILED") this.#addFailed(job);
    if (job.replaced_outputs > 0) {
      this.#replaced.set(job.service, (this.#replaced.get(job.service) ?? 0) + job.replaced_outputs);
    }
  }

  #addFailed(job: Job): void {
    this.failed += 1;
    if (this.#told.length < MOST_TOLD) this.#told.push(job);
  }

  get ended(): number {
    return this.succeeded + this.failed + this.cancelled;
  }

  /** True when every job succeeded. */
  get good(): boolean {
    return this.failed === 0 && this.cancelled === 0;
  }

  /** `80 jobs: 79 succeeded, 1 failed`. */
  summary(): string {
    const parts = [
      `${this.succeeded} succeeded`,
      ...(this.failed > 0 ? [`${this.failed} failed`] : []),
      ...(this.cancelled > 0 ? [`${this.cancelled} cancelled`] : []),
    ];
    return `${counted(this.ended, "job")}: ${parts.join(", ")}`;
  }

  /** A line for each of the first failed jobs, with the way to its log. */
  failures(): string[] {
    const lines = this.#told.map(
      (job) => `${job.id} failed: ${job.message || job.reason} (see: sluice logs ${job.id})`,
    );
    const more = this.failed - this.#told.length;
    return more > 0 ? [...lines, `… and ${more} more (see: sluice jobs --state failed)`] : lines;
  }

  /** One line for each service whose jobs replaced objects that other jobs had made, with the cure. */
  replacements(): string[] {
    return [...this.#replaced].map(
      ([service, count]) =>
        `Service "${service}" replaced ${counted(count, "output")} of other jobs: to keep both, set "on_conflict: rename" or put {job} or {stem} in its output path`,
    );
  }
}
