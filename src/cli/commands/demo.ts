import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { connect } from "../connect.ts";
import { type DemoServer, startDemoServer } from "../demo-server.ts";
import { indented } from "../indented.ts";
import type { Io } from "../io.ts";
import { JobTally } from "../job-tally.ts";
import { runCommand } from "../run-command.ts";
import { stopSignal } from "../stop-signal.ts";
import { durationText } from "../units.ts";
import { eachJob } from "../wait-for-jobs.ts";

const execute = promisify(execFile);
const EXAMPLE = fileURLToPath(new URL("../../../examples/pictures/", import.meta.url));
const PICTURES = 40;
const OUTPUTS = ["thumbs", "stats"];

export const command = defineCommand({
  name: "demo",
  summary: "See the main job happen, from a fresh server to results",
  usage: ["demo [--keep] [--data DIR] [--json]"],
  description: [
    "Starts a server, draws 40 pictures, and lets a workflow of two services make a thumbnail of each and the statistics of each thumbnail. Every step is a command that you could type.",
  ],
  options: {
    keep: { type: "boolean", help: "Leave the server running, and print its addresses" },
    data: { type: "string", value: "DIR", help: "Use this data directory (default: a temporary one)" },
    json: { type: "boolean", help: "Print one JSON object on stdout, the story on stderr" },
  },
  examples: ["sluice demo", "sluice demo --keep", "sluice demo --json"],
  async run({ flags, positionals }, io) {
    expectArguments("demo", positionals, 0, 0);
    const folder = await mkdtemp(join(tmpdir(), "sluice-demo-"));
    // The data directory lies in it, and sandboxes, which are other users, must be able to walk there.
    await chmod(folder, 0o711);
    const data = flags.data === undefined ? join(folder, "data") : resolve(io.cwd, flags.data);
    const story = storyTo(flags.json === true ? { ...io, stdout: io.stderr, columns: null } : io, data);
    const report = await withServer(story, {
      folder,
      data,
      keep: flags.keep === true,
      ownData: flags.data === undefined,
    });
    if (flags.json === true) io.stdout.write(`${JSON.stringify(report)}\n`);
    return report.jobs.failed === 0 && report.files_out === PICTURES * OUTPUTS.length ? 0 : 1;
  },
});

/** What `--json` prints. */
interface DemoReport {
  readonly files_in: number;
  readonly files_out: number;
  readonly jobs: { readonly succeeded: number; readonly failed: number };
  /** From the first upload to the last result. */
  readonly seconds: number;
}

interface DemoPlace {
  readonly folder: string;
  readonly data: string;
  readonly keep: boolean;
  readonly ownData: boolean;
}

async function withServer(story: Story, place: DemoPlace): Promise<DemoReport> {
  const signals = stopSignal();
  story.step(`Starting a server: npx sluice up --data ${place.data}`);
  const server = await startDemoServer(place.data, join(place.folder, "server.log"));
  let finished = false;
  try {
    const stopped = signals.first.then((signal) => {
      throw new SluiceError("STOPPING", `Cannot finish the demo: ${signal} ended it`);
    });
    const report = await Promise.race([playDemo(story, place), stopped]);
    await tellResults(story, report, place);
    finished = true;
    return report;
  } finally {
    if (finished && place.keep) leaveRunning(story, server, place);
    else await clearAway(server, place);
    signals.release();
  }
}

async function playDemo(story: Story, { folder, data }: DemoPlace): Promise<DemoReport> {
  await expectSandbox(story);
  const pictures = join(folder, "pictures");
  story.step(`Drawing ${PICTURES} pictures: sh examples/pictures/make-pictures.sh ${pictures} ${PICTURES}`);
  await drawPictures(pictures);
  story.step("Two services: one makes thumbnails, one looks at every thumbnail");
  await story.command("apply", join(EXAMPLE, "pictures.yaml"));
  const startedAt = performance.now();
  const since = new Date().toISOString();
  story.step("The pictures go in, and jobs start by themselves");
  await story.command("put", pictures, "photos/in/");
  await story.command("jobs", "wait", "--all", "--since", since);
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(3));
  story.step("The results come out");
  for (const output of OUTPUTS) await story.command("get", `photos/${output}/`, join(folder, "results", output));
  const filesIn = (await readdir(pictures)).length;
  return {
    files_in: filesIn,
    files_out: await countFiles(folder),
    jobs: await countJobs(story.io, data, since),
    seconds,
  };
}

/** Without one, jobs would wait for ever. */
async function expectSandbox({ io, data }: Story): Promise<void> {
  const { client } = await connect({ data }, io);
  if ((await client.getStatus()).sluice.sandbox.works) return;
  throw new SluiceError(
    "SANDBOX_UNAVAILABLE",
    "Cannot run the demo: this machine cannot start a sandbox (npx sluice doctor says why, and what mends it)",
  );
}

async function drawPictures(folder: string): Promise<void> {
  await execute("sh", [join(EXAMPLE, "make-pictures.sh"), folder, String(PICTURES)]).catch(
    (error: Error & { stderr?: string }) => {
      const why = (error.stderr ?? error.message).trim().split("\n").at(-1);
      throw new SluiceError(
        "USAGE",
        `Cannot draw the pictures: ${why} (ImageMagick is needed: bash scripts/setup.sh)`,
        { cause: error },
      );
    },
  );
}

async function countFiles(folder: string): Promise<number> {
  const names = await Promise.all(OUTPUTS.map((output) => readdir(join(folder, "results", output)).catch(() => [])));
  return names.flat().length;
}

async function countJobs(io: Io, data: string, since: string): Promise<DemoReport["jobs"]> {
  const { client } = await connect({ data }, io);
  const tally = new JobTally();
  for await (const job of eachJob({ jobs: (query) => client.listJobs(query) }, { since })) tally.add(job);
  return { succeeded: tally.succeeded, failed: tally.failed + tally.cancelled };
}

async function tellResults(story: Story, report: DemoReport, { folder }: DemoPlace): Promise<void> {
  const { succeeded, failed } = report.jobs;
  const sample = await firstResult(join(folder, "results"));
  story.step(
    `Done: ${report.files_in} files in, ${report.files_out} files out, ${succeeded} jobs succeeded, ${failed} failed, in ${durationText(report.seconds * 1000)}`,
  );
  story.line(`The results are in ${join(folder, "results")}; for example:`);
  for (const line of sample) story.line(line);
}

/** The first thumbnail with what the second service says of it. */
async function firstResult(results: string): Promise<string[]> {
  const [name] = (await readdir(join(results, "stats"))).toSorted();
  if (name === undefined) return [];
  const told = await readFile(join(results, "stats", name), "utf8");
  return [`stats/${name}: ${told.trim()}`];
}

function leaveRunning(story: Story, server: DemoServer, { data }: DemoPlace): void {
  server.leave();
  story.line(`The server goes on: API ${server.api}, S3 ${server.s3}; credentials in ${join(data, "admin.json")}`);
  story.line(`Try: npx sluice jobs --data ${data}   Stop it with: kill ${server.pid}`);
}

async function clearAway(server: DemoServer, { folder, data, ownData }: DemoPlace): Promise<void> {
  await server.stop();
  if (!ownData) return;
  await rm(data, { recursive: true, force: true });
  await rm(join(folder, "pictures"), { recursive: true, force: true });
}

/** Tells what happens, and runs the commands that it tells of. */
interface Story {
  readonly io: Io;
  readonly data: string;
  step(text: string): void;
  line(text: string): void;
  /** Shows a command and runs it. @throws SluiceError what the command throws; a command whose work failed goes on to the count */
  command(...argv: string[]): Promise<void>;
}

/** Settings that would point the demo's commands at other servers, or sign with other keys. */
const FOREIGN = ["SLUICE_ENDPOINT", "SLUICE_TOKEN", "SLUICE_S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

function storyTo(given: Io, data: string): Story {
  const env = Object.fromEntries(Object.entries(given.env).filter(([name]) => !FOREIGN.includes(name)));
  const io: Io = { ...given, env };
  let steps = 0;
  return {
    io,
    data,
    step: (text) => {
      steps += 1;
      io.stdout.write(`\n${steps}. ${text}\n`);
    },
    line: (text) => void io.stdout.write(`   ${text}\n`),
    command: async (...argv) => {
      const whole = [...argv, "--data", data];
      io.stdout.write(`   $ npx sluice ${whole.join(" ")}\n`);
      const stdout = indented(io.stdout, "   ");
      await runCommand(whole, { ...io, stdout, columns: null });
      // What it said comes before what is told next.
      await new Promise<void>((resolve) => stdout.end(resolve));
    },
  };
}
