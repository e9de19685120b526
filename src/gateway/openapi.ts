import { z } from "zod";
import type { AnswerRule, Route } from "./route.ts";
import { problem } from "./schemas/common.ts";

type Json = Readonly<Record<string, unknown>>;

/** The document of the routes, from the very schemas that check their requests.
 *  @see https://spec.openapis.org/oas/v3.1.1.html */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Sluice",
      version,
      description: "Services, jobs and buckets. Calls that OSCAR has too keep its bodies and statuses.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { Problem: jsonSchema(problem, "output") },
      securitySchemes: {
        basic: { type: "http", scheme: "basic", description: "User and password" },
        bearer: { type: "http", scheme: "bearer", description: "The token of a service, or of a running attempt" },
      },
    },
  };
}

function operation(route: Route): Json {
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    parameters: [...parameters(route.params, "path"), ...parameters(route.query, "query")],
    ...(route.body === null ? {} : { requestBody: requestBody(route.body) }),
    responses: { ...answers(route), default: errorResponse(route) },
    security: route.access.kind === "public" ? [] : [{ basic: [] }, { bearer: [] }],
  };
}

function parameters(schema: z.ZodType | null, place: "path" | "query"): Json[] {
  if (schema === null) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...shape }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: shape,
  }));
}

function requestBody(body: z.ZodType | "raw"): Json {
  const content =
    body === "raw"
      ? { "*/*": { schema: { type: "string", format: "binary" } } }
      : { "application/json": { schema: jsonSchema(body, "input") } };
  return { required: body !== "raw", content };
}

function answers(route: Route): Json {
  return Object.fromEntries(Object.entries(route.answers).map(([status, rule]) => [status, answer(rule)]));
}

function answer({ description, schema, contentType, headers }: AnswerRule): Json {
  const type = contentType ?? "application/json";
  const shape = schema === undefined ? { type: "string" } : jsonSchema(schema, "output");
  const described = Object.entries(headers ?? {}).map(([name, what]) => [
    name,
    { description: what, schema: { type: "string" } },
  ]);
  return {
    description,
    ...(schema === undefined && contentType === undefined ? {} : { content: { [type]: { schema: shape } } }),
    ...(headers === undefined ? {} : { headers: Object.fromEntries(described) }),
  };
}

function errorResponse({ errors }: Route): Json {
  const content =
    errors === "oscar"
      ? { "text/plain": { schema: { type: "string" } } }
      : { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  const code = { description: "A code of the table of errors", schema: { type: "string" } };
  return { description: "An error", headers: { "Sluice-Error-Code": code }, content };
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
