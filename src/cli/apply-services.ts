import type { ApplyAnswer, Client, Definition } from "../client/client.ts";
import { isSluiceError } from "../core/errors.ts";

/** Creates or updates services: all or none on a Sluice server, one by one on an OSCAR cluster, which has no call for several.
 *  @throws SluiceError as the server's calls do */
export async function applyServices(
  client: Client,
  definitions: readonly Definition[],
  dryRun: boolean,
): Promise<ApplyAnswer> {
  try {
    return await client.applyServices(definitions, { dryRun });
  } catch (error) {
    if (!isSluiceError(error, "NOT_FOUND") && !isSluiceError(error, "METHOD_NOT_ALLOWED")) throw error;
    return oneByOne(client, definitions, dryRun);
  }
}

async function oneByOne(client: Client, definitions: readonly Definition[], dryRun: boolean): Promise<ApplyAnswer> {
  const known = new Set((await client.listServices()).map(({ name }) => name));
  const services: ApplyAnswer["services"] = [];
  const warnings = [
    "This server applies services one by one: a mistake in a later one leaves the earlier ones applied",
  ];
  for (const definition of definitions) {
    const name = String(definition.name);
    const result = known.has(name) ? "updated" : "created";
    if (!dryRun) {
      warnings.push(...(await (known.has(name) ? client.updateService(definition) : client.createService(definition))));
    }
    services.push({ name, result });
  }
  return { dry_run: dryRun, services, warnings: definitions.length > 1 ? warnings : warnings.slice(1) };
}
