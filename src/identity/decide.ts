import { isAdmin, type Principal } from "../core/principal.ts";
import type { Action, Resource } from "./identity.ts";

/** The one place that says who may do what. Admins may do everything, owners everything with what is theirs;
 *  a token of a service may call that service and read it. */
export function decide(principal: Principal, action: Action, resource: Resource): boolean {
  if (isAdmin(principal)) return true;
  if (principal.issuer === "service" || principal.issuer === "job") {
    return (
      resource.kind === "service" &&
      resource.name === principal.subject &&
      (action === "service.invoke" || action === "service.read")
    );
  }
  if (action === "system.read") return true;
  if (action === "system.admin") return false;
  return resource.owner === null
    ? action === "bucket.list" || action === "bucket.write"
    : resource.owner === principal.subject;
}
