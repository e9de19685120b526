import type { KeyRow } from "./key-row.ts";

/** Keys of `input` and `output` entries. */
const ENTRY_KEYS: readonly KeyRow[] = [
  {
    key: "storage_provider",
    type: { is: "text" },
    default: "minio.default",
    dialect: "oscar",
    effect: "acts",
    to: "provider",
    means:
      "`minio`, `minio.default` or nothing: the store of this server. Others are refused until this server speaks to them",
  },
  {
    key: "path",
    type: { is: "text" },
    required: true,
    dialect: "oscar",
    effect: "acts",
    to: "bucket, folder",
    means:
      "`bucket/folder…`; `bucket/` is the whole bucket; one word alone is a folder of the bucket named like the service",
  },
  {
    key: "prefix",
    type: { is: "texts" },
    default: [],
    dialect: "oscar",
    effect: "acts",
    to: "prefixes",
    means: "only names that start with one of these",
  },
  {
    key: "suffix",
    type: { is: "texts" },
    default: [],
    dialect: "oscar",
    effect: "acts",
    to: "suffixes",
    means: "only names that end with one of these",
  },
  {
    key: "options",
    type: { is: "any" },
    default: {},
    dialect: "oscar",
    effect: "warns",
    to: "definition",
    means: "settings of an outside provider",
    lacks: "the store of this server has no such options",
  },
];

export const INPUT_KEYS: readonly KeyRow[] = ENTRY_KEYS;

export const OUTPUT_KEYS: readonly KeyRow[] = [
  ...ENTRY_KEYS.map((row) =>
    row.key === "path"
      ? { ...row, means: `${row.means}; may hold \`{job}\`, \`{input}\`, \`{stem}\` and \`{date}\`` }
      : row,
  ),
  {
    key: "optional",
    type: { is: "boolean" },
    dialect: "sluice",
    effect: "acts",
    to: "optional",
    means: "`true`: a failure to deliver there does not fail the job",
  },
];

const kept = (key: string, is: "text" | "secret" | "boolean", means: string): KeyRow => ({
  key,
  type: { is },
  // A secret is answered empty: an empty one that comes back is still one that was given.
  ...(is === "secret" ? {} : { default: is === "boolean" ? false : "" }),
  dialect: "oscar",
  effect: "kept",
  to: "definition",
  means,
});

/** Credentials of a provider never come back: answers hold them empty. */
export const STORAGE_PROVIDERS_KEYS: readonly KeyRow[] = (["minio", "s3", "onedata", "webdav", "rucio"] as const).map(
  (section): KeyRow => ({
    key: section,
    type: { is: "section map", section },
    default: {},
    dialect: "oscar",
    effect: "kept",
    to: "definition",
    means: `${section} providers by id`,
    ...(section === "minio" ? { ownId: "default" } : {}),
  }),
);

export const MINIO_KEYS: readonly KeyRow[] = [
  kept("endpoint", "text", "address"),
  { ...kept("verify", "boolean", "check the certificate"), default: true },
  kept("access_key", "secret", "access key"),
  kept("secret_key", "secret", "secret key"),
  { ...kept("region", "text", "region"), default: "us-east-1" },
];

export const S3_KEYS: readonly KeyRow[] = [
  kept("access_key", "secret", "access key"),
  kept("secret_key", "secret", "secret key"),
  kept("region", "text", "region"),
];

export const ONEDATA_KEYS: readonly KeyRow[] = [
  kept("oneprovider_host", "text", "host of the Oneprovider"),
  kept("token", "secret", "access token"),
  kept("space", "text", "space"),
];

export const WEBDAV_KEYS: readonly KeyRow[] = [
  kept("hostname", "text", "host; HTTPS only"),
  kept("login", "text", "user"),
  kept("password", "secret", "password"),
];

export const RUCIO_KEYS: readonly KeyRow[] = [
  kept("host", "text", "Rucio server"),
  kept("account", "text", "account"),
  kept("rse", "text", "storage element"),
  kept("auth_host", "text", "authentication server"),
  kept("refresh_token", "secret", "OIDC refresh token"),
  kept("access_token", "secret", "OIDC access token"),
  kept("oidc_audience", "text", "OIDC audience"),
  kept("token_endpoint", "text", "where tokens are refreshed"),
  kept("client_id", "text", "OIDC client"),
  kept("scopes", "text", "OIDC scopes"),
];
