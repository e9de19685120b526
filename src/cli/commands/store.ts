import type { StoreFinding } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import { parseBytes } from "../../core/resources.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { connect } from "../connect.ts";
import { type Io, say } from "../io.ts";
import { bar, progressLine } from "../progress.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { findingText, isSound, summaryText } from "../store-findings.ts";
import { bytesText } from "../units.ts";

const USAGE = "store check [--repair] [--rate BYTES] [--json]";

export const command = defineCommand({
  name: "store",
  summary: "Check every stored byte, and mend what can be",
  usage: [USAGE],
  description: [
    "Reads everything that a running server stores, as the server does it by itself each 30 days (store.scrub), and names what is damaged, what no object names, and what does not add up. Exits with 1 when something is wrong and stays so.",
    "--repair removes files that nothing names, counts references anew, and gives a damaged object its bytes back when another one has the same. It removes no object: what stays damaged is named, and reading it stays an error, until you delete it or put it again.",
    "The server goes on working meanwhile; --rate says how much is read in a second at most. Ctrl-C ends the check.",
  ],
  options: {
    repair: { type: "boolean", help: "Mend what can be mended" },
    rate: { type: "string", value: "BYTES", help: "Read at most so much in a second (default 128Mi)" },
    json: { type: "boolean", help: "Print each finding as a line of JSON" },
    ...SERVER_OPTIONS,
  },
  examples: ["sluice store check", "sluice store check --repair", "sluice store check --rate 20Mi --json"],
  async run({ flags, positionals }, io) {
    const [verb] = expectArguments(USAGE, positionals, 1, 1);
    if (verb !== "check") {
      throw new SluiceError("USAGE", `Cannot run "store ${verb}": say check (see: sluice store --help)`);
    }
    const { client } = await connect(flags, io);
    const rate = flags.rate === undefined ? {} : { rate: parseRate(flags.rate) };
    const findings = client.checkStore({ repair: flags.repair === true, ...rate });
    return report(findings, flags.json === true ? jsonPrinter(io) : textPrinter(io));
  },
});

function parseRate(text: string): number {
  const rate = parseBytes(text);
  if (rate !== null && rate >= 1) return rate;
  throw new SluiceError("USAGE", `Cannot read "--rate ${text}": write a number of bytes, for example 20Mi`);
}

async function report(findings: AsyncIterable<StoreFinding>, print: (finding: StoreFinding) => void): Promise<number> {
  for await (const finding of findings) {
    print(finding);
    if (finding.kind === "end") return isSound(finding) ? 0 : 1;
  }
  throw new SluiceError("UNREACHABLE", "Cannot finish the check: the server ended it (see its log, then check again)");
}

function jsonPrinter(io: Io): (finding: StoreFinding) => void {
  return (finding) => {
    if (finding.kind !== "progress") say(io, JSON.stringify(finding));
  };
}

function textPrinter(io: Io): (finding: StoreFinding) => void {
  const line = progressLine(io);
  return (finding) => {
    if (finding.kind === "progress") {
      const { bytes, ofBytes } = finding;
      line.update(() => `Checking ${bar(bytes, ofBytes)}  ${bytesText(bytes)} of ${bytesText(ofBytes)}`);
      return;
    }
    line.clear();
    say(io, finding.kind === "end" ? summaryText(finding) : findingText(finding));
  };
}
