import { z } from "zod";
import { flag, instant } from "./common.ts";

export const serviceLogsParams = z.object({ name: z.string().min(1) });
export const serviceLogParams = z.object({ name: z.string().min(1), job: z.string().min(1) });

export const serviceLogsQuery = z.object({ page: z.string().default("").describe("`next_page` of the page before") });

export const serviceLogs = z.object({
  jobs: z.record(
    z.string(),
    z.object({
      status: z.enum(["Pending", "Running", "Succeeded", "Failed"]),
      creation_time: instant,
      start_time: instant.optional(),
      finish_time: instant.optional(),
    }),
  ),
  next_page: z.string(),
  remaining_jobs: z.int().describe("How many jobs lie on later pages"),
});

export const removeLogsQuery = z.object({
  all: flag.describe("true removes every job, ending those that run; without it only those that succeeded go"),
});

export const serviceLogQuery = z.object({ timestamps: flag.describe("true puts each line's arrival time before it") });

export type ServiceLogs = z.output<typeof serviceLogs>;
