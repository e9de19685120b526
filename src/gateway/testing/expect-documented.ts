import type { InjectOptions, LightMyRequestResponse } from "fastify";
import { expect } from "vitest";
import type { Route } from "../route.ts";
import { problem } from "../schemas/common.ts";

/** Holds an answer against what its route declares: the status, the content type, and every field of a JSON body, no more and no less. */
export function expectDocumented(
  routes: readonly Route[],
  { method = "GET", url }: InjectOptions,
  response: LightMyRequestResponse,
): void {
  if (method === "HEAD") return;
  const { statusCode, headers, body } = response;
  const type = String(headers["content-type"] ?? "");
  if (type.startsWith("application/problem+json")) {
    expect(problem.parse(JSON.parse(body))).toEqual(JSON.parse(body));
    return;
  }
  const found = typeof url === "string" ? routeAt(routes, method, url) : undefined;
  if (found === undefined || headers["sluice-error-code"] !== undefined) return;
  const rule = found.answers[statusCode];
  expect(rule, `${found.id} documents the status ${statusCode}`).toBeDefined();
  if (rule?.schema === undefined) {
    if (rule?.contentType === undefined) expect(body).toBe("");
    else expect(type.startsWith(rule.contentType)).toBe(true);
    return;
  }
  const value: unknown = JSON.parse(body);
  expect(rule.schema.parse(value), `${found.id} documents every field`).toEqual(value);
}

function routeAt(routes: readonly Route[], method: string, url: string): Route | undefined {
  const [path = ""] = url.split("?", 1);
  const exact = routes.find((route) => route.method === method && route.path === path);
  if (exact !== undefined) return exact;
  return routes.find((route) => {
    const pattern = new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/:\w+/g, "[^/]+")}$`);
    return route.method === method && pattern.test(path);
  });
}
