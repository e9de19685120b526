import { realpathSync, statSync } from "node:fs";

/** The parts of this machine's root that `image: host` shows and that can hold programs (decision 2). */
const PROGRAM_FOLDERS = ["/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/opt/"];
const OTHERS_MAY_EXECUTE = 0o001;

export interface ScriptCommand {
  readonly argv: readonly string[];
  /** A line for the log when the script asked for something else; null when there is nothing to say. */
  readonly warning: string | null;
}

/** What runs the script at `path`: its `#!` line, with everything behind the interpreter as one argument as Linux has it, or /bin/sh when
 *  there is no such line or `exists` does not know the interpreter.
 *  @see execve(2), "Interpreter scripts" */
export function scriptCommand(script: string, path: string, exists: (interpreter: string) => boolean): ScriptCommand {
  const line = /^#![ \t]*([^ \t\r\n]+)[ \t]*([^\r\n]*)/.exec(script);
  if (line === null) return { argv: ["/bin/sh", path], warning: null };
  const [, interpreter = "", rest = ""] = line;
  if (!exists(interpreter)) {
    return {
      argv: ["/bin/sh", path],
      warning: `the script asks for ${JSON.stringify(interpreter)}, which the image does not have: /bin/sh runs it`,
    };
  }
  const argument = rest.trimEnd();
  return { argv: argument === "" ? [interpreter, path] : [interpreter, argument, path], warning: null };
}

/** True for a program that a sandbox over this machine's root can run: it must lie, links resolved, where the sandbox sees it.
 *  @param extraPaths what the configuration shows besides the allow-list */
export function isHostProgram(path: string, extraPaths: readonly string[] = []): boolean {
  const shown = [...PROGRAM_FOLDERS, ...extraPaths.map((extra) => `${extra}/`)];
  const isShown = (place: string): boolean => shown.some((folder) => place.startsWith(folder));
  if (!isShown(path) || path.split("/").includes("..")) return false;
  try {
    const stats = statSync(path);
    return stats.isFile() && (stats.mode & OTHERS_MAY_EXECUTE) !== 0 && isShown(realpathSync(path));
  } catch {
    return false;
  }
}
