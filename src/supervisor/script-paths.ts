/** Where a script finds its things. Scripts get these paths from their environment; only the supervisor may rely on the values. */
export const SCRIPT_PATHS = {
  /** Everything of the attempt but /tmp. */
  root: "/sluice",
  /** Private and writable; the input file lies in it, read-only. */
  input: "/sluice/in",
  output: "/sluice/out",
  /** Empty and writable: the working directory. */
  work: "/sluice/work",
  home: "/sluice/home",
  tmp: "/tmp",
  script: "/sluice/job/script",
  event: "/sluice/job/event.json",
} as const;
