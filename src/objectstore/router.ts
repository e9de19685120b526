import { s3Error } from "../s3/errors.ts";
import type { Operation } from "./call.ts";
import type { S3Request } from "./request.ts";
import { ROUTES } from "./routes.ts";

const byShape = new Map(ROUTES.map((route) => [shape(route.method, route.target, route.query, route.header), route]));
const queries = new Set(ROUTES.map((route) => route.query).filter((query) => query !== null));

function shape(method: string, target: string, query: string | null, header: string | null): string {
  return `${method} ${target} ${query ?? ""} ${header ?? ""}`;
}

/** The call that a request makes. Parameters that name no call are options of one, or unknown and ignored, as in S3.
 *  @throws SluiceError S3 NotImplemented for a call that S3 has and this server has not yet, MethodNotAllowed for none at all */
export function findOperation(request: S3Request): Operation {
  const target = request.bucket === "" ? "service" : request.key === "" ? "bucket" : "object";
  const query = subresource(request);
  const header = request.headers.has("x-amz-copy-source") ? "x-amz-copy-source" : null;
  const route =
    byShape.get(shape(request.method, target, query, header)) ??
    byShape.get(shape(request.method, target, query, null));
  if (route === undefined) {
    throw s3Error("MethodNotAllowed", `Cannot answer this request: S3 has no such call`);
  }
  if (route.handler === null) {
    throw s3Error("NotImplemented", `Cannot answer ${route.operation}: this server does not do that yet`);
  }
  return route.handler;
}

/** An upload's id is stronger than its part number, whichever comes first. */
function subresource(request: S3Request): string | null {
  let found: string | null = null;
  for (const [name] of request.query) {
    if (name === "uploadId") return name;
    if (found === null && queries.has(name)) found = name;
  }
  return found;
}
