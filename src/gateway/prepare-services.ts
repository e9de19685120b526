import { SluiceError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { refuseLoops } from "../fdl/check-loops.ts";
import type { ServerAbilities } from "../fdl/check-service.ts";
import { withKeptSecrets } from "../fdl/secret-values.ts";
import { serviceFromDefinition } from "../fdl/service-definition.ts";
import type { State } from "../state/state.ts";

/** Definitions that may be applied, and what their user should know. */
export interface PreparedServices {
  readonly specs: readonly Service[];
  readonly warnings: readonly string[];
}

/** Definitions as the API takes them → services that this server can run. Secrets sent back as empty texts are those of the service that is there.
 *  Nothing is changed.
 *  @throws SluiceError with every mistake of every definition; SERVICE_LOOP when together with what is deployed they could feed themselves */
export async function prepareServices(
  state: Pick<State, "services">,
  abilities: ServerAbilities,
  definitions: readonly unknown[],
): Promise<PreparedServices> {
  const read = readAll(definitions, abilities);
  refuseTwins(read.specs);
  const deployed = (await state.services(null)).map((record) => record.revision.spec);
  const before = new Map(deployed.map((spec) => [spec.name, spec]));
  const specs = read.specs.map((spec) => {
    const old = before.get(spec.name);
    return old === undefined ? spec : withKeptSecrets(spec, old);
  });
  return { specs, warnings: [...read.warnings, ...refuseLoops(specs, deployed)] };
}

function readAll(definitions: readonly unknown[], abilities: ServerAbilities): PreparedServices {
  const specs: Service[] = [];
  const warnings: string[] = [];
  const errors: SluiceError[] = [];
  for (const definition of definitions) {
    try {
      const { spec, warnings: more } = serviceFromDefinition(definition, abilities);
      specs.push(spec);
      warnings.push(...more);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw together(errors);
  return { specs, warnings };
}

/** One mistake keeps its own error; several become one that tells them all. */
function together(errors: readonly SluiceError[]): SluiceError {
  const [first, ...others] = errors;
  if (first !== undefined && others.length === 0) return first;
  const codes = new Set(errors.map(({ code }) => code));
  return new SluiceError(
    codes.size === 1 && first !== undefined ? first.code : "SERVICE_INVALID",
    errors.map(({ message }) => message).join("; "),
    { details: { problems: errors.flatMap(({ details }) => (details?.problems as unknown[] | undefined) ?? []) } },
  );
}

function refuseTwins(specs: readonly Service[]): void {
  const names = specs.map(({ name }) => name);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  if (twice.length === 0) return;
  throw new SluiceError(
    "SERVICE_INVALID",
    `Cannot apply "${twice[0]}": it is defined more than once in this call (give every service its own name)`,
  );
}
