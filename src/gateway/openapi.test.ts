import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeServer, fakeServer } from "./testing/fake-server.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  readonly requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
  readonly responses: Record<string, { content?: Record<string, { schema: Record<string, unknown> }> }>;
  readonly security: readonly unknown[];
}

let server: FakeServer;
let document: { openapi: string; info: { version: string }; paths: Record<string, Record<string, Operation>> };
beforeAll(async () => {
  server = fakeServer();
  document = (await server.inject({ url: "/openapi.json" })).json();
});
afterAll(() => server.close());

const operation = (path: string, method: string): Operation => {
  const found = document.paths[path]?.[method];
  if (found === undefined) throw new Error(`${method} ${path} is not in the document`);
  return found;
};

it("is OpenAPI 3.1 of this version, for everybody", () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(document.info.version).toBe("1.2.3");
});

it("holds every route that the router answers, and no other", async () => {
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  await server.app.ready();
  const answered = server.routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect(documented.toSorted()).toEqual(answered.toSorted());
  for (const { method, path } of server.routes) expect(server.app.hasRoute({ method, url: path })).toBe(true);
});

describe("every route", () => {
  it("has an id and an address of its own", () => {
    const { routes } = server;
    expect(new Set(routes.map(({ id }) => id)).size).toBe(routes.length);
    expect(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size).toBe(routes.length);
  });

  it("has a schema for each part of its path, and a sentence that says what it does", () => {
    for (const route of server.routes) {
      const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
      const path = route.path.replace(/:(\w+)/g, "{$1}");
      const { parameters, summary } = operation(path, route.method.toLowerCase());
      const described = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name);
      expect(described).toEqual(inPath);
      expect(summary.length).toBeGreaterThan(10);
    }
  });

  it("describes what it answers: JSON by a schema, other things by their type", () => {
    for (const route of server.routes) {
      const rules = Object.values(route.answers);
      expect(rules.length, route.id).toBeGreaterThan(0);
      for (const rule of rules) {
        const kinds = [rule.schema, rule.contentType].filter((kind) => kind !== undefined);
        expect(kinds.length, route.id).toBeLessThan(2);
      }
    }
  });

  it("that changes something takes only what its schema allows, or raw bytes", () => {
    const bodies = server.routes.filter(({ method }) => method === "POST" || method === "PUT");
    const without = bodies.filter(({ body }) => body === null).map(({ id }) => id);
    expect(without).toEqual(["cancelJob", "retryJob", "pruneImages", "checkStore"]);
  });
});

it("tells queries as they are written: words, bounds and defaults", () => {
  const { parameters } = operation("/system/jobs", "get");
  const of = (name: string) => parameters.find((parameter) => parameter.name === name);
  expect(of("limit")).toMatchObject({ in: "query", required: false, schema: { maximum: 1000, default: 100 } });
  expect(of("since")?.schema).toMatchObject({ type: "string", format: "date-time" });
  expect(operation("/system/jobs/{id}/logs", "get").parameters.find(({ name }) => name === "follow")).toMatchObject({
    required: false,
    schema: { enum: expect.arrayContaining(["true", "false"]), default: "false" },
  });
});

it("tells bodies, answers, errors and who may call", () => {
  const backup = operation("/system/backup", "post");
  expect(backup.requestBody?.content["application/json"]?.schema).toMatchObject({ required: ["target"] });
  expect(backup.responses["200"]?.content?.["application/json"]?.schema).toMatchObject({ type: "object" });
  expect(backup.responses.default?.content).toHaveProperty(["application/problem+json"]);
  expect(operation("/system/services", "post").responses.default?.content).toHaveProperty(["text/plain"]);
  expect(operation("/job/{name}", "post").requestBody?.content).toHaveProperty(["*/*"]);
  expect(backup.security).toEqual([{ basic: [] }, { bearer: [] }]);
  expect(operation("/healthz", "get").security).toEqual([]);
});
