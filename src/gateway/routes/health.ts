import { json, text } from "../answers.ts";
import { EXPOSITION_TYPE, renderMetrics } from "../metrics/exposition.ts";
import type { HttpMetrics } from "../metrics/http-metrics.ts";
import { serverMetrics } from "../metrics/server-metrics.ts";
import { type Route, route } from "../route.ts";
import { readiness } from "../schemas/system.ts";
import { anyThing } from "../subjects.ts";

const TAG = "health";
const PUBLIC = { tag: TAG, errors: "problem", access: { kind: "public" } } as const;

export const healthRoutes = (http: HttpMetrics): readonly Route[] => [
  route({
    ...PUBLIC,
    id: "oscarHealth",
    method: "GET",
    path: "/health",
    summary: "Whether the process answers, in OSCAR's word",
    answers: { 200: { description: "Ok", contentType: "text/plain" } },
    handle: async () => text("Ok"),
  }),
  route({
    ...PUBLIC,
    id: "health",
    method: "GET",
    path: "/healthz",
    summary: "Whether the process answers",
    answers: { 200: { description: "ok", contentType: "text/plain" } },
    handle: async () => text("ok"),
  }),
  route({
    ...PUBLIC,
    id: "ready",
    method: "GET",
    path: "/readyz",
    summary: "Whether the server can take work, and if not, why",
    answers: {
      200: { description: "It can", schema: readiness },
      503: { description: "It cannot", schema: readiness },
    },
    async handle(deps) {
      const draining = deps.dispatcher.view().draining ? ["the server is stopping"] : [];
      const reasons = [...new Set([...draining, ...(await deps.readiness())])];
      if (reasons.length === 0) return json({ ready: true, reasons });
      return { ...json({ ready: false, reasons }, 503), headers: { "retry-after": "5" } };
    },
  }),
  route({
    id: "metrics",
    method: "GET",
    path: "/metrics",
    tag: TAG,
    summary: "Figures for Prometheus",
    errors: "problem",
    access: { kind: "action", action: "system.read", unless: ({ facts }) => facts.metricsPublic },
    subject: anyThing("system"),
    answers: { 200: { description: "Prometheus' text form", contentType: "text/plain" } },
    async handle(deps, { by }) {
      const families = [...(await serverMetrics(deps, by)), ...http.families()];
      return { status: 200, text: renderMetrics(families), contentType: EXPOSITION_TYPE };
    },
  }),
];
