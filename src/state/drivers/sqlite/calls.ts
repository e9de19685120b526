import type { ErrorCode } from "../../../core/errors.ts";
import type { CommitNotice, ObjectQuery, State, StateStats } from "../../state.ts";
import type { BornRow, OrderRow } from "./crossing-job.ts";
import type { VersionRow } from "./crossing-object.ts";
import type { PageRow } from "./crossing-page.ts";
import type { CommittedRow, UploadRow } from "./crossing-upload.ts";

/** The methods of State that are one transaction or one read of the worker, as the worker answers them. */
export interface Calls
  extends Omit<
    State,
    | "subscribe"
    | "backup"
    | "holdBlobs"
    | "auditStore"
    | "stats"
    | "close"
    | "enqueue"
    | "commitUpload"
    | "objectVersion"
    | "listObjects"
  > {
  enqueue(...order: OrderRow): Promise<BornRow>;
  commitUpload(...upload: UploadRow): Promise<CommittedRow>;
  objectVersion(...version: Parameters<State["objectVersion"]>): Promise<VersionRow | null>;
  listObjects(query: ObjectQuery): Promise<PageRow>;
}
export type CallName = keyof Calls;

/** One call on its way to the worker. */
export type Call = readonly [id: number, name: CallName, args: readonly unknown[]];

/** What crosses beside calls: these are answered by an Answer too. */
export type Order = readonly [id: number, name: "backup", file: string] | readonly [id: number, name: "close"];

export type ToWorker = { readonly calls: readonly Call[] } | { readonly order: Order };

/** A SluiceError as plain data; `stack` is that of a defect, for the log. */
export interface CrossedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly stack?: string | undefined;
}

export type Answer =
  | readonly [id: number, ok: true, value: unknown]
  | readonly [id: number, ok: false, error: CrossedError];

/** What the worker says: that it is open, the answers of one group, or that it cannot go on. */
export type FromWorker =
  | { readonly opened: true }
  | { readonly answers: readonly Answer[]; readonly notice: CommitNotice | null; readonly stats: StateStats | null }
  | { readonly fatal: CrossedError };

export interface WorkerOptions {
  readonly file: string;
  /** Removed when the disk is full, so that what frees space or ends jobs still commits. */
  readonly reserveFile: string | null;
}
