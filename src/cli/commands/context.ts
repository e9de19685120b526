import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Contexts, contextNamed, readContexts, writeContexts } from "../contexts.ts";
import { type Io, say } from "../io.ts";
import { FORMAT_OPTION, parseFormat, printListing } from "../listing.ts";

export const command = defineCommand({
  name: "context",
  summary: "List, choose or forget remembered servers",
  usage: ["context list [-o FORMAT]", "context use NAME", "context rm NAME"],
  description: ["Contexts lie in ~/.config/sluice/config.yaml, which only you can read. `sluice login` adds one."],
  options: { ...FORMAT_OPTION },
  examples: ["sluice context list", "sluice context use lab", "sluice context rm lab"],
  async run({ flags, positionals }, io) {
    const [verb = "list", ...rest] = positionals;
    if (verb === "list") return list(expectArguments("context list", rest, 0, 0), parseFormat(flags.output), io);
    if (verb !== "use" && verb !== "rm") {
      throw new SluiceError("USAGE", `Cannot run "context ${verb}": say list, use or rm (see: sluice context --help)`);
    }
    const [name = ""] = expectArguments(`context ${verb} NAME`, rest, 1, 1);
    const contexts = await readContexts(io);
    contextNamed(contexts, name);
    return verb === "use" ? use(contexts, name, io) : forget(contexts, name, io);
  },
});

async function list(_none: readonly string[], format: ReturnType<typeof parseFormat>, io: Io): Promise<number> {
  const { current, all } = await readContexts(io);
  const items = [...all].map(([name, { endpoint, credentials }]) => ({
    name,
    endpoint,
    user: credentials.kind === "basic" ? credentials.user : null,
    credentials: credentials.kind,
    current: name === current,
  }));
  await printListing(io, format, {
    raw: items,
    items,
    columns: [
      { title: "", value: (item) => (item.current ? "*" : "") },
      { title: "NAME", value: (item) => item.name },
      { title: "ENDPOINT", value: (item) => item.endpoint, flexible: true },
      { title: "USER", value: (item) => item.user ?? (item.credentials === "bearer" ? "(token)" : "") },
    ],
    name: (item) => item.name,
    empty: "No server is remembered (add one with: sluice login URL)",
  });
  return 0;
}

async function use(contexts: Contexts, name: string, io: Io): Promise<number> {
  await writeContexts(io, { ...contexts, current: name });
  say(io, `Now using ${name}: ${contextNamed(contexts, name).endpoint}`);
  return 0;
}

async function forget({ current, all }: Contexts, name: string, io: Io): Promise<number> {
  const rest = new Map([...all].filter(([each]) => each !== name));
  await writeContexts(io, { current: current === name ? null : current, all: rest });
  say(io, current === name ? `Forgot ${name}; no context is current now` : `Forgot ${name}`);
  return 0;
}
