import type { FastifyReply } from "fastify";
import { SluiceError } from "../core/errors.ts";
import type { Route } from "./route.ts";

/** Why no route answers: there is no such address, or it does not answer this method (`Allow` then says which ones it does). */
export function refuseUnrouted(
  routes: readonly Route[],
  method: string,
  url: string,
  reply: FastifyReply,
): SluiceError {
  const [path = ""] = url.split("?", 1);
  const methods = routes.filter((route) => answersAt(route, path)).map((route) => route.method);
  if (methods.length === 0) {
    return new SluiceError(
      "NOT_FOUND",
      "Cannot find that address: this API has none such (GET /openapi.json lists all)",
    );
  }
  const allowed = methods.includes("GET") ? ["HEAD", ...methods] : methods;
  reply.header("allow", allowed.join(", "));
  return new SluiceError("METHOD_NOT_ALLOWED", `Cannot ${method} that address: it answers ${allowed.join(", ")}`);
}

function answersAt(route: Route, path: string): boolean {
  const pattern = route.path.split("/");
  const parts = path.replace(/\/$/, "").split("/");
  return pattern.length === parts.length && pattern.every((part, at) => part.startsWith(":") || part === parts[at]);
}
