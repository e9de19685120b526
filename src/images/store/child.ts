import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SluiceError } from "../../core/errors.ts";
import { compileCache, ownProgram } from "../../lib/own-program.ts";

const MAX_SAID_BYTES = 16 * 1024;
/** Of V8, for what an archive makes a child keep in mind: names and folders of at most a million members. */
const HEAP_MIB = 1024;

interface ChildOptions {
  /** As in the source tree: `unpack`, `remove-folders`, beside this file's folder. */
  readonly program: "unpack" | "remove-folders";
  readonly job: object;
  /** The child's working directory. It is entered before the child gives up root's rights, and so may lie where its user cannot go. */
  readonly folder: string;
  /** Descriptor that becomes its standard input; null for none. */
  readonly input: number | null;
  readonly signal: AbortSignal | null;
}

/** Runs one of the programs of this room that work with the rights of the images' user, and returns what it reports. No environment but a search path
 *  for programs, no descriptors but these. The child is dead when this settles, whatever happened.
 *  @throws SluiceError INTERNAL when the child died or reported nothing; the signal's reason when it was aborted */
export async function runChild({ program, job, folder, input, signal }: ChildOptions): Promise<unknown> {
  signal?.throwIfAborted();
  const child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${HEAP_MIB}`,
      fileURLToPath(ownProgram(`../${program}`, import.meta.url)),
      JSON.stringify(job),
    ],
    {
      cwd: folder,
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", UV_USE_IO_URING: "0", ...compileCache() },
      stdio: [input ?? "ignore", "ignore", "pipe", "pipe"],
    },
  );
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, sign) => resolve(sign ?? String(code)));
  });
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill);
  const said = collect(child.stderr);
  // One that could not be started for want of descriptors has no streams at all.
  const report = collect((child.stdio?.[3] ?? null) as NodeJS.ReadableStream | null);
  try {
    const end = await ended;
    signal?.throwIfAborted();
    if (end !== "0") throw died(program, end, said());
    return JSON.parse(report()) as unknown;
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}

/** The beginning of what a stream said; all of it is read, so that the child never waits. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (piece: Buffer) => {
    if (bytes < MAX_SAID_BYTES) pieces.push(piece);
    bytes += piece.length;
  });
  return () => Buffer.concat(pieces).toString("utf8");
}

function died(program: string, end: string, said: string): SluiceError {
  return new SluiceError(
    "INTERNAL",
    `Cannot finish the work on the image: the process "${program}" ended with ${end} (try again)`,
    {
      details: { said: said.trim().slice(-2000) },
    },
  );
}
