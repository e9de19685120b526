import type { Json } from "../lib/tree.ts";

/** What the value of a key may be. Numbers are taken as texts and the other way round, as the clients of OSCAR send both. */
export type ValueType =
  | { readonly is: "text" }
  /** A text that no listing, log or answer may show. */
  | { readonly is: "secret" }
  | { readonly is: "integer" }
  | { readonly is: "boolean" }
  /** A Kubernetes quantity of cores (`0.5`, `500m`). */
  | { readonly is: "cpu" }
  /** A Kubernetes quantity of bytes (`256Mi`). */
  | { readonly is: "bytes" }
  /** `10m`, `90s`, `1h30m`; a bare number is seconds. */
  | { readonly is: "duration" }
  /** One of these words, whatever its case; `or` replaces a word that is none of them (with a warning) where OSCAR does so. */
  | { readonly is: "choice"; readonly of: readonly string[]; readonly or?: string }
  /** Lists; a single value counts as a list of one. */
  | { readonly is: "texts" }
  | { readonly is: "integers" }
  /** Names to texts. */
  | { readonly is: "text map" }
  | { readonly is: "secret map" }
  | { readonly is: "section"; readonly section: SectionName }
  /** A list of sections. */
  | { readonly is: "sections"; readonly section: SectionName }
  /** Ids that the user chooses, each with a section. */
  | { readonly is: "section map"; readonly section: SectionName }
  /** Whatever JSON can hold. */
  | { readonly is: "any" };

/** The maps of an FDL file whose keys are fixed. */
export type SectionName =
  | "service"
  | "synchronous"
  | "input"
  | "output"
  | "environment"
  | "retries"
  | "mount"
  | "volume"
  | "expose"
  | "kserve"
  | "kserve inference"
  | "kserve llm_inference"
  | "federation"
  | "replica"
  | "cluster"
  | "storage_providers"
  | "minio"
  | "s3"
  | "onedata"
  | "webdav"
  | "rucio"
  | "aws function"
  | "lambda"
  | "container"
  | "batch"
  | "scar function"
  | "scar s3";

/** What this server does with a key:
 *  `acts`: honours it. `kept`: there is nothing to do but to give it back. `warns`: kept, and the answer says that it has no effect.
 *  `read-only`: the server sets it; a value from outside is dropped. `aws`: nothing outside of AWS; the answer says so, and drops it. */
type Effect = "acts" | "kept" | "warns" | "read-only" | "aws";

/** One key of one section. `docs/reference/fdl.md` shows these rows; parsing, defaults, warnings and answers come from them. */
export interface KeyRow {
  readonly key: string;
  readonly type: ValueType;
  /** What counts as not given, and what answers hold then. Undefined: answers leave it out. */
  readonly default?: Json;
  readonly required?: true;
  /** `oscar` and `scar`: theirs; `sluice`: ours, so a file that uses it is no old file. */
  readonly dialect: "oscar" | "scar" | "sluice";
  readonly effect: Effect;
  /** Where it goes: a field of Service, or `definition` when it is only kept. */
  readonly to: string;
  readonly means: string;
  /** In a map of names: the one that the server itself puts there; it is dropped when it comes back. */
  readonly ownId?: string;
  /** For `warns`: what this server lacks. */
  readonly lacks?: string;
}
