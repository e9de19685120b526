import type { HttpMetrics } from "./metrics/http-metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { type Route, route } from "./route.ts";
import { bucketRoutes } from "./routes/buckets.ts";
import { changeRoutes } from "./routes/changes.ts";
import { healthRoutes } from "./routes/health.ts";
import { imageRoutes } from "./routes/images.ts";
import { jobLogRoutes } from "./routes/job-logs.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { serviceLogRoutes } from "./routes/service-logs.ts";
import { serviceRoutes } from "./routes/services.ts";
import { storeCheckRoutes } from "./routes/store-check.ts";
import { submitRoutes } from "./routes/submit.ts";
import { systemRoutes } from "./routes/system.ts";
import { anyObject } from "./schemas/common.ts";
import type { Wakeups } from "./streams/wakeups.ts";

/** Every call that this server answers: the router, the document and the matrix of permissions are made of this table. */
export function routeTable(wakeups: Wakeups, http: HttpMetrics): readonly Route[] {
  const routes: readonly Route[] = [
    ...healthRoutes(http),
    ...serviceRoutes,
    ...submitRoutes,
    ...jobRoutes,
    ...jobLogRoutes(wakeups),
    ...serviceLogRoutes(wakeups),
    ...changeRoutes(wakeups),
    ...bucketRoutes,
    ...systemRoutes,
    ...imageRoutes,
    ...storeCheckRoutes,
  ];
  const all: readonly Route[] = [...routes, documentRoute(() => all)];
  return all;
}

/** The document is made when it is first asked for, and then kept as text: its schemas would weigh on a server that idles. */
function documentRoute(routes: () => readonly Route[]): Route {
  let document: string | null = null;
  return route({
    id: "openApi",
    method: "GET",
    path: "/openapi.json",
    tag: "system",
    summary: "This document",
    errors: "problem",
    access: { kind: "public" },
    answers: { 200: { description: "OpenAPI 3.1", schema: anyObject } },
    async handle({ facts }) {
      document ??= JSON.stringify(openApiDocument(routes(), facts.version));
      return { status: 200, text: document, contentType: "application/json" };
    },
  });
}
