import { isAdmin, type Principal } from "../../core/principal.ts";
import type { ServiceRecord } from "../../core/service.ts";
import { definitionOf } from "../../fdl/service-definition.ts";
import { rfc3339 } from "../answers.ts";
import type { Service as ServiceView } from "../schemas/services.ts";

/** A service as OSCAR's clients read it: the definition (secrets keep their names but not their values) and what the server adds.
 *  The long-lived token goes to its owner and to administrators only. */
export function serviceView(record: ServiceRecord, by: Principal): ServiceView {
  const definition = definitionOf(record.revision.spec);
  return {
    ...definition,
    name: record.name,
    script: record.revision.spec.script,
    owner: record.owner,
    ...(maySeeToken(record, by) ? { token: record.token } : {}),
    labels: { ...textsIn(definition.labels), oscar_service: record.name },
    revision: record.revision.id,
    created_at: rfc3339(record.createdAt),
    updated_at: rfc3339(record.updatedAt),
  };
}

/** A token of the service itself is not its owner: it must not lead to a credential that outlives it. */
function maySeeToken(record: ServiceRecord, by: Principal): boolean {
  if (isAdmin(by)) return true;
  return by.issuer !== "service" && by.issuer !== "job" && by.subject === record.owner;
}

function textsIn(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}
