import type { FdlService } from "../../fdl/parse-fdl.ts";
import { toDefinition } from "../../fdl/service-definition.ts";
import { applyServices } from "../apply-services.ts";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Connection, clientOf, connect } from "../connect.ts";
import { type Contexts, contextNamed, readContexts } from "../contexts.ts";
import { readFdlFiles } from "../fdl-files.ts";
import { type Io, say, tell } from "../io.ts";
import { SERVER_OPTIONS, type ServerFlags } from "../server-options.ts";
import { printable } from "../text.ts";

const USAGE = "apply FILE… [--dry-run]";

export const command = defineCommand({
  name: "apply",
  summary: "Create or update the services of FDL files",
  usage: [USAGE],
  description: [
    "All services of a server are applied, or none when one of them has a mistake. The cluster id above a service may name a context of `sluice login`; any other means the server being talked to.",
  ],
  options: {
    "dry-run": { type: "boolean", help: "Check, and say what would change" },
    ...SERVER_OPTIONS,
  },
  examples: ["sluice apply thumbnails.yaml", "sluice apply *.yaml --dry-run"],
  async run({ flags, positionals }, io) {
    const files = expectArguments(USAGE, positionals, 1);
    const services = await readFdlFiles(files, io.cwd);
    const places = await placesOf(services, flags, io);
    // Nothing is changed anywhere before every server has agreed.
    const forecasts = await Promise.all(places.map((place) => applyTo(place, true)));
    const answers = flags["dry-run"] === true ? forecasts : await inTurn(places, (place) => applyTo(place, false));
    for (const line of new Set(answers.flatMap(({ warnings }) => warnings))) tell(io, printable(`Warning: ${line}`));
    for (const { lines } of answers) for (const line of lines) say(io, printable(line));
    return 0;
  },
});

/** The services that go to one server. */
interface Place {
  /** The context's name, or null for the server being talked to. */
  readonly name: string | null;
  readonly client: Connection["client"];
  readonly services: readonly FdlService[];
}

/** Cluster ids that always mean the server being talked to. */
const HERE = ["local", "default-cluster"];

async function placesOf(services: readonly FdlService[], flags: ServerFlags, io: Io): Promise<Place[]> {
  const contexts = await readContexts(io);
  const groups = Map.groupBy(services, ({ clusterId }) => (elsewhere(clusterId, contexts) ? clusterId : null));
  const unknown = new Set(
    (groups.get(null) ?? []).map(({ clusterId }) => clusterId).filter((id) => !HERE.includes(id)),
  );
  for (const id of unknown)
    tell(
      io,
      printable(`Note: the cluster "${id}" is no context of yours: its services go to the server being talked to`),
    );
  return Promise.all(
    [...groups].map(async ([name, own]) => {
      const client = name === null ? (await connect(flags, io)).client : await clientOf(contextNamed(contexts, name));
      return { name, client, services: own };
    }),
  );
}

const elsewhere = (clusterId: string, { all }: Contexts): boolean => !HERE.includes(clusterId) && all.has(clusterId);

async function applyTo({ name, client, services }: Place, dryRun: boolean) {
  const answer = await applyServices(client, services.map(toDefinition), dryRun);
  const where = name === null ? "" : ` on ${name}`;
  return {
    warnings: [...services.flatMap(({ warnings }) => warnings), ...answer.warnings],
    lines: answer.services.map((service) => `${service.name} ${resultText(service.result, dryRun)}${where}`),
  };
}

function resultText(result: "created" | "updated" | "unchanged", dryRun: boolean): string {
  return dryRun && result !== "unchanged" ? `would be ${result}` : result;
}

async function inTurn<T, R>(items: readonly T[], one: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await one(item));
  return results;
}
