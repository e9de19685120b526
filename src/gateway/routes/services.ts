import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { SluiceError } from "../../core/errors.ts";
import { isAdmin, type Principal } from "../../core/principal.ts";
import type { Service } from "../../core/service.ts";
import type { AppliedService, State } from "../../state/state.ts";
import { empty, json, warningHeaders } from "../answers.ts";
import type { GatewayDeps } from "../deps.ts";
import { pinImages, prefetchImages } from "../pin-images.ts";
import { type PreparedServices, prepareServices } from "../prepare-services.ts";
import { type Route, route } from "../route.ts";
import {
  applyAnswer,
  applyBody,
  applyQuery,
  definition,
  removeServiceQuery,
  service,
  serviceParams,
} from "../schemas/services.ts";
import { ownThings, serviceNamed } from "../subjects.ts";
import { serviceView } from "../views/service-view.ts";

const TAG = "services";
const PATH = "/system/services";
const WARNING_HEADER = { "Sluice-Warning": "A key that this server keeps but cannot honour; one header each" };

export const serviceRoutes: readonly Route[] = [
  route({
    id: "listServices",
    method: "GET",
    path: PATH,
    tag: TAG,
    summary: "The services that the caller owns; for the administrator all",
    errors: "oscar",
    access: { kind: "action", action: "service.read" },
    subject: ownThings("service"),
    answers: { 200: { description: "The services, by name", schema: z.array(service) } },
    async handle({ state }, { by }) {
      const records = await state.services(isAdmin(by) ? null : by.subject);
      return json(records.map((record) => serviceView(record, by)));
    },
  }),
  route({
    id: "getService",
    method: "GET",
    path: `${PATH}/:name`,
    tag: TAG,
    summary: "One service",
    errors: "oscar",
    access: { kind: "action", action: "service.read" },
    subject: serviceNamed,
    hidden: "SERVICE_UNKNOWN",
    params: serviceParams,
    answers: { 200: { description: "The service", schema: service } },
    handle: async (_deps, { by, subject }) => json(serviceView(subject, by)),
  }),
  route({
    id: "createService",
    method: "POST",
    path: PATH,
    tag: TAG,
    summary: "Create a service",
    errors: "oscar",
    access: { kind: "action", action: "service.write" },
    subject: ownThings("service"),
    body: definition,
    startsWork: true,
    answers: { 201: { description: "Created", headers: WARNING_HEADER } },
    async handle(deps, { by, body, signal }) {
      const { specs, warnings } = await preparedBy(deps, by, [body], signal);
      await deps.state.applyServices(by, specs, "create");
      prefetch(deps, by, specs);
      return empty(201, warningHeaders(warnings));
    },
  }),
  route({
    id: "updateService",
    method: "PUT",
    path: PATH,
    tag: TAG,
    summary: "Replace a service; its token stays",
    errors: "oscar",
    access: { kind: "action", action: "service.write" },
    subject: ownThings("service"),
    body: definition,
    startsWork: true,
    answers: { 204: { description: "Updated, or the same as before", headers: WARNING_HEADER } },
    async handle(deps, { by, body, signal }) {
      const { specs, warnings } = await preparedBy(deps, by, [body], signal);
      await refuseAbsent(deps.state, by, specs);
      await deps.state.applyServices(by, specs, "update");
      prefetch(deps, by, specs);
      return empty(204, warningHeaders(warnings));
    },
  }),
  route({
    id: "applyServices",
    method: "POST",
    path: `${PATH}/apply`,
    tag: TAG,
    summary: "Create or update services: all of them, or none when one has a mistake",
    errors: "problem",
    access: { kind: "action", action: "service.write" },
    subject: ownThings("service"),
    query: applyQuery,
    body: applyBody,
    startsWork: true,
    answers: { 200: { description: "What was done, or with dry_run what would be", schema: applyAnswer } },
    async handle(deps, { by, body, query, signal }) {
      const { specs, warnings } = await preparedBy(deps, by, body, signal);
      const services = query.dry_run
        ? await foresee(deps.state, by, specs)
        : await deps.state.applyServices(by, specs, "apply");
      if (!query.dry_run) prefetch(deps, by, specs);
      return json({ dry_run: query.dry_run, services, warnings });
    },
  }),
  route({
    id: "removeService",
    method: "DELETE",
    path: `${PATH}/:name`,
    tag: TAG,
    summary: "Delete a service. Its queued jobs are cancelled, its buckets stay unless data=true",
    errors: "oscar",
    access: { kind: "action", action: "service.write" },
    subject: serviceNamed,
    hidden: "SERVICE_UNKNOWN",
    params: serviceParams,
    query: removeServiceQuery,
    answers: { 204: { description: "Deleted" } },
    async handle({ state }, { by, params, query }) {
      await state.removeService(by, params.name, query.data);
      return empty(204);
    },
  }),
];

/** Checked, and with every image pinned. */
async function preparedBy(
  deps: GatewayDeps,
  by: Principal,
  definitions: readonly unknown[],
  signal: AbortSignal,
): Promise<PreparedServices> {
  const { specs, warnings } = await prepareServices(deps.state, await deps.abilities(), definitions);
  return { specs: await pinImages(deps.images, by, specs, signal), warnings };
}

function prefetch({ images, log }: GatewayDeps, by: Principal, specs: readonly Service[]): void {
  prefetchImages(images, by, specs, ({ name, image }, error) =>
    log.warn("an image could not be pulled ahead; the first job tries again", { service: name, image, error }),
  );
}

/** A service of somebody else answers as one that is not there. */
async function refuseAbsent(state: State, by: Principal, specs: readonly Service[]): Promise<void> {
  for (const { name } of specs) {
    const record = await state.service(name);
    if (record !== null && (isAdmin(by) || record.owner === by.subject)) continue;
    throw new SluiceError("SERVICE_UNKNOWN", `Cannot update "${name}": there is no such service (create it with POST)`);
  }
}

/** What `applyServices` would do. */
async function foresee(state: State, by: Principal, specs: readonly Service[]): Promise<AppliedService[]> {
  return Promise.all(
    specs.map(async (spec): Promise<AppliedService> => {
      const record = await state.service(spec.name);
      if (record === null) return { name: spec.name, result: "created" };
      if (!isAdmin(by) && record.owner !== by.subject) {
        throw new SluiceError("FORBIDDEN", `Cannot apply "${spec.name}": the name is taken by another user`);
      }
      const same = isDeepStrictEqual(asStored(record.revision.spec), asStored(spec));
      return { name: spec.name, result: same ? "unchanged" : "updated" };
    }),
  );
}

/** A specification as it comes back from the state: without what JSON cannot say. */
const asStored = (spec: Service): unknown => JSON.parse(JSON.stringify(spec));
