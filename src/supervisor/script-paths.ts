/** Where a script finds its things. Scripts get these paths from their environment; only the supervisor may rely on the values. */
export const SCRIPT_PATHS = {
  /** Everything of the attempt. */
  root: "/sluice",
  /** Private and writable; the input file lies in it, read-only. */
  input: "/sluice/in",
  output: "/sluice/out",
  /** Empty and writable: the working directory, and HOME. */
  home: "/sluice/home",
  /** The same folder as `/sluice/tmp`. */
  tmp: "/tmp",
  script: "/sluice/script",
  event: "/sluice/event.json",
} as const;
