import type { ChangeKind } from "../../../core/change.ts";
import type { CommitNotice } from "../../state.ts";
import type { Database } from "./database.ts";

/** Columns of `service_counts`, in the order of job states, then the attempts that have not ended. */
const COUNT_COLUMNS = ["queued", "running", "delivering", "succeeded", "failed", "cancelled", "active"] as const;
const ACTIVE = 6;

type SequenceName = "change" | "version" | "job" | "blob";
/** The one row of `sequences`: the last number given of each, and how many objects there are. */
type Sequences = Record<SequenceName | "objects", number>;
type CountDelta = readonly [service: string, owner: string, column: number, by: number];

const READ_SEQUENCES =
  "SELECT change_seq change, version_seq version, job_seq job, blob_seq blob, objects FROM sequences";
const WRITE_SEQUENCES = "UPDATE sequences SET change_seq = ?, version_seq = ?, job_seq = ?, blob_seq = ?, objects = ?";
const ADD_COUNTS = `INSERT INTO service_counts (service, owner, ${COUNT_COLUMNS.join(", ")}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (service, owner) DO UPDATE SET ${COUNT_COLUMNS.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`;

/** Where a member of a group began, so that its share can be taken back alone. */
export interface TallyMark {
  readonly sequences: Sequences;
  readonly counts: number;
  readonly services: number;
  readonly kinds: number;
}

/** What a group adds up in memory and writes once before its commit: numbers given out, counters, and the notice for subscribers.
 *  Between groups the tables and this object agree. */
export class Tally {
  readonly #db: Database;
  #sequences: Sequences;
  /** What the table holds. */
  #written: Sequences;
  #counts: CountDelta[] = [];
  #services: string[] = [];
  #kinds: ChangeKind[] = [];

  constructor(db: Database) {
    this.#db = db;
    this.#written = readSequences(db);
    this.#sequences = { ...this.#written };
  }

  /** The next number of a sequence; numbers of a member that fails are given again. */
  next(sequence: SequenceName): number {
    this.#sequences[sequence] += 1;
    return this.#sequences[sequence];
  }

  /** Takes `count` numbers at once; returns the one before the first. */
  reserve(sequence: SequenceName, count: number): number {
    const before = this.#sequences[sequence];
    this.#sequences[sequence] += count;
    return before;
  }

  /** The last number given. */
  last(sequence: SequenceName): number {
    return this.#sequences[sequence];
  }

  /** Counts an object that came or went. */
  countObject(by: 1 | -1): void {
    this.#sequences.objects += by;
  }

  get objects(): number {
    return this.#sequences.objects;
  }

  /** Counts a job that enters `to` (a state's code) and leaves `from`; null for not being there before or after. */
  moveJob(service: string, owner: string, from: number | null, to: number | null): void {
    if (from !== null) this.#counts.push([service, owner, from, -1]);
    if (to !== null) this.#counts.push([service, owner, to, 1]);
  }

  countAttempt(service: string, owner: string, by: 1 | -1): void {
    this.#counts.push([service, owner, ACTIVE, by]);
  }

  /** Makes the service appear in the counts, with zeros. */
  openCounts(service: string, owner: string): void {
    this.#counts.push([service, owner, ACTIVE, 0]);
  }

  /** Says in the notice that the service has a job that could start, or room that became free. */
  wake(service: string): void {
    this.#services.push(service);
  }

  noteKind(kind: ChangeKind): void {
    this.#kinds.push(kind);
  }

  mark(): TallyMark {
    return {
      sequences: { ...this.#sequences },
      counts: this.#counts.length,
      services: this.#services.length,
      kinds: this.#kinds.length,
    };
  }

  /** Forgets what was added since the mark. */
  rollback(mark: TallyMark): void {
    this.#sequences = { ...mark.sequences };
    this.#counts.length = mark.counts;
    this.#services.length = mark.services;
    this.#kinds.length = mark.kinds;
  }

  /** Writes sequences and counters into the open transaction; nothing when nothing was given out, so that an idle call costs no fsync. */
  flush(): void {
    const { change, version, job, blob, objects } = this.#sequences;
    if (!isSame(this.#sequences, this.#written)) this.#db.run(WRITE_SEQUENCES, change, version, job, blob, objects);
    this.#written = { ...this.#sequences };
    for (const row of sumCounts(this.#counts)) this.#db.run(ADD_COUNTS, row.service, row.owner, ...row.by);
  }

  /** After the commit: what subscribers are told; the tally is empty for the next group. */
  takeNotice(): Omit<CommitNotice, "moreToDo"> {
    const notice = {
      lastSeq: this.#sequences.change,
      services: [...new Set(this.#services)],
      kinds: [...new Set(this.#kinds)],
    };
    this.#clear();
    return notice;
  }

  /** After a group that was rolled back as a whole: agrees with the tables again. */
  reload(): void {
    this.#clear();
    this.#written = readSequences(this.#db);
    this.#sequences = { ...this.#written };
  }

  #clear(): void {
    this.#counts = [];
    this.#services = [];
    this.#kinds = [];
  }
}

function readSequences(db: Database): Sequences {
  const row = db.get<Sequences>(READ_SEQUENCES);
  if (row === undefined) throw new Error("the sequences row is missing");
  return { ...row };
}

const isSame = (a: Sequences, b: Sequences): boolean =>
  a.change === b.change && a.version === b.version && a.job === b.job && a.blob === b.blob && a.objects === b.objects;

function sumCounts(deltas: readonly CountDelta[]): { service: string; owner: string; by: number[] }[] {
  const rows = new Map<string, { service: string; owner: string; by: number[] }>();
  for (const [service, owner, column, by] of deltas) {
    const key = `${service}\0${owner}`;
    let row = rows.get(key);
    if (row === undefined) {
      row = { service, owner, by: COUNT_COLUMNS.map(() => 0) };
      rows.set(key, row);
    }
    row.by[column] = (row.by[column] ?? 0) + by;
  }
  return [...rows.values()];
}
