import type { Waiting } from "../scheduler/scheduler.ts";
import type { WaitReason } from "./dispatch.ts";
import type { QueueBook } from "./queue-book.ts";

/** What is known when somebody asks why a job waits. */
export interface WaitFacts {
  /** Of the last plan. */
  readonly waiting: readonly Waiting[];
  readonly book: Pick<QueueBook, "place" | "queued">;
  /** Every slot is taken, and so nothing new is read. */
  readonly full: boolean;
}

/** Why this job of this service waits; null when nobody knows yet. What holds up the first job of a queue holds up those behind it,
 *  but for a job that is too large: that one waits alone. */
export function waitReason({ waiting, book, full }: WaitFacts, service: string, jobId: string): WaitReason | null {
  const ofService = waiting.filter((each) => each.service === service);
  const own = ofService.find((each) => each.jobId === jobId);
  if (own) return own;
  const first = ofService.find((each) => each.because !== "too_large");
  switch (book.place(service, jobId)) {
    case "blocked":
      return { because: "order" };
    case "behind":
      return first ?? { because: "turn", queued: book.queued(service) };
    case "head":
      return first ?? (full ? { because: "busy" } : null);
    case "unknown":
      return full ? { because: "busy" } : null;
  }
}
