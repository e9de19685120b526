import type { Config } from "../../config/config.ts";
import { createLog } from "../../lib/log.ts";
import { openFilesLimit } from "../../lib/open-files.ts";
import type { SandboxReport } from "../../sandbox/sandbox.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { FORMAT_OPTION, parseFormat, printData } from "../listing.ts";
import {
  checkBlobsFolder,
  checkDataFolder,
  checkOpenFiles,
  checkPrograms,
  type MachineCheck,
} from "../machine-checks.ts";

export const command = defineCommand({
  name: "doctor",
  summary: "Say what this machine can sandbox, and mend it",
  usage: ["doctor [--data DIR] [--config FILE] [-o FORMAT]"],
  description: [
    "Runs a real sandbox here, without a server, as the user you are and with the settings that `sluice up` would have: run it as the user who will run the server, with its flags and environment. Exits with 1 when no sandbox can run.",
  ],
  options: {
    data: { type: "string", value: "DIR", help: "Where the data directory is or will be (default ./sluice-data)" },
    config: { type: "string", value: "FILE", help: "The server's configuration file" },
    ...FORMAT_OPTION,
  },
  examples: [
    "sluice doctor",
    "sluice doctor --data /srv/sluice -o json",
    "sluice doctor --config /etc/sluice/sluice.yaml",
  ],
  async run({ flags, positionals }, io) {
    expectArguments("doctor", positionals, 0, 0);
    const format = parseFormat(flags.output);
    const { loadConfig } = await import("../../config/load.ts");
    const config = await loadConfig({ flags, env: io.env, cwd: io.cwd });
    const [programs, files, folder, blobs, report] = await Promise.all([
      checkPrograms(config.sandbox.driver),
      judgeOpenFiles(config),
      checkDataFolder(config.dataDir),
      config.blobsDir === null ? [] : checkBlobsFolder(config.blobsDir),
      probe(config),
    ]);
    const checks = [...programs, files, ...folder, ...blobs];
    if (format === "json" || format === "yaml") await printData(io, format, { machine: checks, sandbox: report });
    else printReport(checks, report, io);
    return report.works && !checks.some(({ state }) => state === "missing") ? 0 : 1;
  },
});

async function judgeOpenFiles({ local }: Config): Promise<MachineCheck> {
  const { leastOpenFiles, plentyOpenFiles } = await import("../../main/open-files.ts");
  return checkOpenFiles(openFilesLimit(), leastOpenFiles(local.slots), plentyOpenFiles(local.slots));
}

/** Judges the sandbox that a server with these settings would open, under a name of its own: the server may be running. */
async function probe(config: Config): Promise<SandboxReport> {
  const [{ openSandbox }, { sandboxOptions }] = await Promise.all([
    import("../../sandbox/open.ts"),
    import("../../main/sandbox-options.ts"),
  ]);
  const place = { id: `doctor-${process.pid}`, dataDir: config.dataDir, visiblePath: (path: string) => path };
  const sandbox = await openSandbox(sandboxOptions(config, { ...place, log: createLog("warn") }));
  try {
    return await sandbox.probe(true);
  } finally {
    await sandbox.close();
  }
}

/** One line of the report: a check of the machine or a guard of the sandbox. */
interface Finding {
  readonly name: string;
  readonly state: string;
  readonly why: string;
  readonly mend: string;
}

function printReport(checks: readonly MachineCheck[], report: SandboxReport, io: Io): void {
  const machine = checks.map(({ name, state, found, mend }) => ({ name, state, why: found, mend }));
  section(io, "This machine", machine);
  section(io, `Sandbox (${report.driver})`, report.guards);
  const networks = report.networks.join(", ") || "no mode works";
  io.stdout.write(`\nNetworks a service may ask for: ${networks}\n`);
  io.stdout.write(
    report.works ? "A sandbox started, ran and ended here.\n" : "No sandbox can run here: no job will start.\n",
  );
}

const COLOURS: Readonly<Record<string, string>> = { good: "32", enforced: "32", weaker: "33", missing: "31" };

function section(io: Io, title: string, findings: readonly Finding[]): void {
  io.stdout.write(`\n${title}\n`);
  const nameWidth = Math.max(0, ...findings.map(({ name }) => name.length));
  const stateWidth = Math.max(0, ...findings.map(({ state }) => state.length));
  for (const { name, state, why, mend } of findings) {
    const word = state.padEnd(stateWidth);
    const shown = io.colour ? `\x1b[${COLOURS[state] ?? "0"}m${word}\x1b[0m` : word;
    io.stdout.write(`  ${name.padEnd(nameWidth)}  ${shown}  ${why}`.trimEnd());
    io.stdout.write(mend === "" ? "\n" : `\n  ${" ".repeat(nameWidth + stateWidth)}    → ${mend}\n`);
  }
}
