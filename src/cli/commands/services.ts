import type { Service } from "../../client/client.ts";
import { SluiceError } from "../../core/errors.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import type { Command } from "../command.ts";
import { type Connection, connect } from "../connect.ts";
import { type Io, say } from "../io.ts";
import { FORMAT_OPTION, type Format, parseFormat, printFacts, printListing } from "../listing.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { localTime } from "../units.ts";

const LIST_OPTIONS = { ...FORMAT_OPTION, ...SERVER_OPTIONS } as const;

const shared = {
  name: "services",
  summary: "List, show or remove services",
  usage: ["services [NAME] [-o FORMAT]", "services rm NAME… [--data]"],
  description: ["Removing a service cancels its waiting jobs; its buckets stay unless you say --data."],
  examples: ["sluice services", "sluice services thumbnails -o yaml", "sluice services rm thumbnails"],
} as const;

const listing = defineCommand({
  ...shared,
  options: LIST_OPTIONS,
  async run({ flags, positionals }, io) {
    const [verb, ...names] = positionals;
    // Behind flags, where --data named the server.
    if (verb === "rm") return removeFrom((await connect(flags, io)).client, names, false, io);
    const [name] = expectArguments("services [NAME]", positionals, 0, 1);
    const format = parseFormat(flags.output);
    const { client } = await connect(flags, io);
    return name === undefined ? list(client, format, io) : show(client, name, format, io);
  },
});

const { data: _folder, ...OTHER_SERVER_OPTIONS } = SERVER_OPTIONS;

const removal = defineCommand({
  ...shared,
  options: {
    data: { type: "boolean", help: "Remove the service's buckets and all objects in them too" },
    ...OTHER_SERVER_OPTIONS,
  },
  async run({ flags: { data = false, ...server }, positionals: [, ...names] }, io) {
    const folder = names.find((name) => !/^[A-Za-z0-9-]+$/.test(name));
    if (folder !== undefined)
      throw new SluiceError(
        "USAGE",
        `Cannot remove "${folder}": no service has such a name (behind rm, --data means the service's objects; a server's directory goes before: sluice services --data DIR rm NAME)`,
      );
    return removeFrom((await connect(server, io)).client, names, data, io);
  },
});

const { help } = SERVER_OPTIONS.data;

/** `--data` means the service's objects behind `rm`, and the server's directory everywhere else. */
export const command: Command = {
  ...listing,
  options: {
    ...LIST_OPTIONS,
    data: { ...SERVER_OPTIONS.data, help: `${help}; behind rm, without DIR: remove the buckets with all objects too` },
  },
  execute: (argv, io) => (argv[0] === "rm" ? removal : listing).execute(argv, io),
};

type Client = Connection["client"];

async function list(client: Client, format: Format, io: Io): Promise<number> {
  const services = await client.listServices();
  await printListing(io, format, {
    raw: services,
    items: services,
    columns: [
      { title: "SERVICE", value: (service) => service.name, flexible: true },
      { title: "IMAGE", value: (service) => text(service.image), flexible: true },
      { title: "CPU", value: (service) => text(service.cpu), align: "right" },
      { title: "MEMORY", value: (service) => text(service.memory), align: "right" },
      { title: "INPUT", value: (service) => paths(service.input), flexible: true },
      { title: "OUTPUT", value: (service) => paths(service.output), flexible: true },
      { title: "UPDATED", value: (service) => localTime(service.updated_at), optional: true },
    ],
    name: (service) => service.name,
    empty: "No services (make some with: sluice apply FILE)",
  });
  return 0;
}

async function show(client: Client, name: string, format: Format, io: Io): Promise<number> {
  const service = await client.getService(name);
  await printFacts(io, format, { raw: service, name: service.name, facts: factsOf(service) });
  return 0;
}

/** Everything that was set, without script and token: `-o yaml` shows them. */
function factsOf(service: Service): [string, string][] {
  const shown = Object.entries(service).filter(
    ([key]) => !["script", "token", "input", "output", "environment"].includes(key),
  );
  return [
    ...shown.map(([key, value]): [string, string] => [key, key.endsWith("_at") ? localTime(text(value)) : text(value)]),
    ["input", paths(service.input)],
    ["output", paths(service.output)],
    ["variables", Object.keys(service.environment?.variables ?? {}).join(", ")],
    ["secrets", Object.keys(service.environment?.secrets ?? {}).join(", ")],
    ["script", `${String(service.script).split("\n").length} lines`],
  ];
}

/** A value of a definition on one line; empty ones, which say nothing, become nothing. */
function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  return Object.keys(value).length === 0 ? "" : JSON.stringify(value);
}

function paths(entries: unknown): string {
  if (!Array.isArray(entries)) return "";
  return entries.map((entry: { path?: unknown }) => text(entry?.path)).join(", ");
}

async function removeFrom(client: Client, names: readonly string[], data: boolean, io: Io): Promise<number> {
  expectArguments("services rm NAME… [--data]", names, 1);
  // Nothing goes before every name is known: `rm NAME --data DIR` must not empty buckets and then stumble over DIR.
  for (const name of names) await client.getService(name);
  for (const name of names) {
    await client.removeService(name, { data });
    say(io, data ? `Removed the service ${name} with its buckets` : `Removed the service ${name}; its buckets stay`);
  }
  return 0;
}
