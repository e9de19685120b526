/** Who asks. Every mutating call takes one and every row has an owner, which is a principal's `subject`. */
export interface Principal {
  /** Where the identity comes from: `local`, an OIDC issuer URL, `service` (a service's token) or `job` (an attempt's token). */
  readonly issuer: string;
  readonly subject: string;
  readonly groups: readonly string[];
  /** `admin` may do everything; the others are added with the routes that need them. */
  readonly scopes: readonly string[];
  /** The credential that was used, for logs: `basic`, `sigv4`, `bearer`, `internal`. */
  readonly via: string;
}

/** OSCAR's name for the owner of what the administrator creates. */
export const ADMIN_SUBJECT = "cluster_admin";

export const isAdmin = (principal: Principal): boolean => principal.scopes.includes("admin");

/** The server itself, when it acts without a user: recovery, expiry. */
export const SYSTEM_PRINCIPAL: Principal = {
  issuer: "local",
  subject: ADMIN_SUBJECT,
  groups: [],
  scopes: ["admin"],
  via: "internal",
};
