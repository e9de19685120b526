/** Text of the shell that starts one slot's sandboxes. Plain POSIX: dash, bash and busybox run it.
 *
 *  Arguments: the slot's folder, and `own-uid` or `shared-uid`. Descriptors: 0 takes one line a job, 3 answers, 4 ends with the server.
 *
 *  It says that it is born, and waits for a line, because the server moves it into its control group meanwhile (everything it starts is born
 *  there) and gives its user namespace ids, where it has one. Then `ready WATCHDOG-PID`; then for each line it sources the slot's `run` file in a
 *  subshell, which becomes bubblewrap, and answers with the exit code. What `run` mounts at `root` stays until `run` unmounts it. No byte of a user's
 *  reaches this shell but as a quoted argument in `run`.
 *
 *  The watchdog reads descriptor 4, which ends when the server dies, however it dies. Then it kills what the slot runs: with a
 *  user id of the slot's own everything of that id (`-O` makes sure that the shell has that id, and is not root); else the
 *  sandbox's first process, by the id that bubblewrap wrote down, and its own process group. */
export const LAUNCHER_SCRIPT = `d=$1
echo born >&3
read -r _ || exit 1
umask 077
rm -f "$d/out" "$d/err"
mkfifo "$d/out" "$d/err" || exit 1
(
  exec 0<&- 3>&-
  read -r _ <&4
  if [ "$2" = own-uid ]; then
    [ -O "$d" ] && kill -KILL -1
  else
    read -r line <"$d/status" && case $line in
      *'"child-pid": '*) line=\${line#*'"child-pid": '}; kill -KILL "\${line%%,*}" ;;
    esac
  fi
  kill -KILL 0
) &
w=$!
exec 4<&-
echo "ready $w" >&3
while read -r _; do
  ( . "$d/run" )
  echo "$?" >&3
done
`;

/** What the shell sources for one job. */
export interface RunFile {
  /** Commands that make the root, run in the slot's folder as its user; empty for a root that is there. When one fails, what it said is the job's
   *  output, and nothing is started. */
  readonly makeRoot: string;
  readonly bwrapPath: string;
  /** File with the filter of system calls; null where there is none. */
  readonly callFilter: string | null;
  readonly argv: readonly string[];
  /** Largest file, RLIMIT_FSIZE. */
  readonly fileBytes: number;
  /** RLIMIT_NPROC, where no control group counts processes. */
  readonly processes: number | null;
  readonly separateStdout: boolean;
}

/** Descriptors a program of the sandbox may open. */
const OPEN_FILES = 16_384;
/** When memory runs out, scripts end before launchers and servers. */
const OOM_SCORE = 500;
/** Unit of `ulimit -f` in POSIX shells. */
const BLOCK_BYTES = 512;

/** The `run` file: closes the launcher's descriptors, sets limits, and becomes bubblewrap. */
export function runFileText(run: RunFile): string {
  const limits = [
    `{ echo ${OOM_SCORE} >/proc/self/oom_score_adj; } 2>/dev/null`,
    "ulimit -c 0",
    `ulimit -f ${Math.ceil(run.fileBytes / BLOCK_BYTES)} 2>/dev/null`,
    `ulimit -n ${OPEN_FILES} 2>/dev/null`,
  ];
  // The option's letter differs: -u in bash, -p in dash and busybox.
  if (run.processes !== null) limits.push(`{ ulimit -u ${run.processes} || ulimit -p ${run.processes}; } 2>/dev/null`);
  const error = run.separateStdout ? '2>"$d/err"' : "2>&1";
  const argv = run.argv.map(quote).join(" ");
  const [filterOption, filterFile] =
    run.callFilter === null ? ["", ""] : ["--seccomp 6 ", ` 6<${quote(run.callFilter)}`];
  const root = run.makeRoot === "" ? "" : `cd "$d" && ${run.makeRoot} && cd / || exit 1\n`;
  return `exec 3>&- </dev/null >"$d/out" ${error}
${limits.join("\n")}
${root}exec ${quote(run.bwrapPath)} --args 4 --json-status-fd 5 ${filterOption}-- ${argv} 4<"$d/args" 5>"$d/status"${filterFile}
`;
}

/** The `run` file that gives up the root of the last job. */
export const UNMOUNT_TEXT = 'exec 3>&- >/dev/null 2>&1\n[ ! -e "$d/root/etc" ] || umount "$d/root"\n';

/** A word that a POSIX shell takes as it is. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
