import { createHash, timingSafeEqual } from "node:crypto";
import { ADMIN_SUBJECT, type Principal } from "../core/principal.ts";
import type { State } from "../state/state.ts";
import type { AdminCredentials } from "./admin-file.ts";
import type { Identity } from "./identity.ts";

/** Tokens are 64 hex digits; anything else needs no look into the database. */
const TOKEN = /^[0-9a-f]{64}$/;

/** The identity of a server with one person: the administrator, and the tokens of services and attempts. */
export function createLocalIdentity(options: {
  readonly admin: AdminCredentials;
  readonly state: Pick<State, "tokenPrincipal">;
}): Identity {
  const { admin, state } = options;
  const adminVia = (via: string): Principal => ({
    issuer: "local",
    subject: ADMIN_SUBJECT,
    groups: [],
    scopes: ["admin"],
    via,
  });
  return {
    async basic(user, password) {
      // Both are always compared, so that the time does not tell which was wrong.
      const right = [same(user, admin.user), same(password, admin.password)];
      return right.every(Boolean) ? adminVia("basic") : null;
    },
    bearer: async (token) => (TOKEN.test(token) ? state.tokenPrincipal(token) : null),
    async accessKey(accessKeyId) {
      return same(accessKeyId, admin.accessKey) ? { secretKey: admin.secretKey, principal: adminVia("sigv4") } : null;
    },
  };
}

/** Equality in a time that depends on neither text: hashes have one length. */
function same(given: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(hash(given), hash(right));
}
