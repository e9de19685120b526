import { hash } from "node:crypto";
import type { Principal } from "../../../core/principal.ts";
import type { Lineage } from "../../state.ts";
import type { Store } from "./store.ts";

const OF_SERVICE = "SELECT name FROM services WHERE token_hash = ?";
const OF_ATTEMPT = `SELECT j.id, j.service, j.root_event_id, j.hops FROM attempts a JOIN jobs j ON j.seq = a.job WHERE a.token_hash = ?`;

interface TokenHolder {
  readonly principal: Principal;
  readonly service: string;
  readonly lineage: Lineage | null;
}

/** Tokens are found by their SHA-256, so that the time of a lookup says nothing about a token. */
export const tokenHash = (token: string): Uint8Array => hash("sha256", token, "buffer");

export function tokenPrincipal(store: Store, token: string): TokenHolder | null {
  const digest = tokenHash(token);
  const service = store.db.get<{ name: string }>(OF_SERVICE, digest)?.name;
  if (service !== undefined) return { principal: bearer("service", service), service, lineage: null };
  type JobRow = { id: string; service: string; root_event_id: string; hops: number };
  const job = store.db.get<JobRow>(OF_ATTEMPT, digest);
  if (job === undefined) return null;
  return {
    principal: bearer("job", job.service),
    service: job.service,
    lineage: { rootId: job.root_event_id, parentJobId: job.id, hops: job.hops },
  };
}

function bearer(issuer: "service" | "job", service: string): Principal {
  return { issuer, subject: service, groups: [], scopes: [], via: "bearer" };
}
