import { hash, timingSafeEqual } from "node:crypto";
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
  const isUser = equalTo(admin.user);
  const isPassword = equalTo(admin.password);
  const holder = { secretKey: admin.secretKey, principal: adminVia("sigv4") };
  return {
    async basic(user, password) {
      // Both are always compared, so that the time does not tell which was wrong.
      const right = [isUser(user), isPassword(password)];
      return right.every(Boolean) ? adminVia("basic") : null;
    },
    bearer: async (token) => (TOKEN.test(token) ? state.tokenPrincipal(token) : null),
    // The id is no secret: it stands in every request and in shared addresses.
    async accessKey(accessKeyId) {
      return accessKeyId === admin.accessKey ? holder : null;
    },
  };
}

/** Equality with a text in a time that depends on neither: hashes have one length. */
function equalTo(right: string): (given: string) => boolean {
  const digest = (text: string): Buffer => hash("sha256", text, "buffer");
  const expected = digest(right);
  return (given) => timingSafeEqual(digest(given), expected);
}
