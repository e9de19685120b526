import {
  CLUSTER_KEYS,
  ENGINE_KEYS,
  EXPOSE_KEYS,
  FEDERATION_KEYS,
  KSERVE_INFERENCE_KEYS,
  KSERVE_KEYS,
  KSERVE_LLM_KEYS,
  MOUNT_KEYS,
  REPLICA_KEYS,
  VOLUME_KEYS,
} from "./engine-keys.ts";
import type { KeyRow, SectionName } from "./key-row.ts";
import {
  AWS_FUNCTION_KEYS,
  BATCH_KEYS,
  CONTAINER_KEYS,
  LAMBDA_KEYS,
  SCAR_FUNCTION_KEYS,
  SCAR_S3_KEYS,
} from "./scar/scar-keys.ts";
import { ENVIRONMENT_KEYS, RETRIES_KEYS, SERVICE_KEYS, SYNCHRONOUS_KEYS } from "./service-keys.ts";
import {
  INPUT_KEYS,
  MINIO_KEYS,
  ONEDATA_KEYS,
  OUTPUT_KEYS,
  RUCIO_KEYS,
  S3_KEYS,
  STORAGE_PROVIDERS_KEYS,
  WEBDAV_KEYS,
} from "./storage-keys.ts";

/** Every key of an OSCAR service, of ours, and of SCAR's functions, by section. */
export const KEY_TABLE: Readonly<Record<SectionName, readonly KeyRow[]>> = {
  service: [...SERVICE_KEYS, ...ENGINE_KEYS],
  synchronous: SYNCHRONOUS_KEYS,
  input: INPUT_KEYS,
  output: OUTPUT_KEYS,
  environment: ENVIRONMENT_KEYS,
  retries: RETRIES_KEYS,
  mount: MOUNT_KEYS,
  volume: VOLUME_KEYS,
  expose: EXPOSE_KEYS,
  kserve: KSERVE_KEYS,
  "kserve inference": KSERVE_INFERENCE_KEYS,
  "kserve llm_inference": KSERVE_LLM_KEYS,
  federation: FEDERATION_KEYS,
  replica: REPLICA_KEYS,
  cluster: CLUSTER_KEYS,
  storage_providers: STORAGE_PROVIDERS_KEYS,
  minio: MINIO_KEYS,
  s3: S3_KEYS,
  onedata: ONEDATA_KEYS,
  webdav: WEBDAV_KEYS,
  rucio: RUCIO_KEYS,
  "aws function": AWS_FUNCTION_KEYS,
  lambda: LAMBDA_KEYS,
  container: CONTAINER_KEYS,
  batch: BATCH_KEYS,
  "scar function": SCAR_FUNCTION_KEYS,
  "scar s3": SCAR_S3_KEYS,
};

/** The row of a key as somebody wrote it. Case does not matter, as in OSCAR, whose files say `Variables` as well as `variables`. */
export function rowOf(section: SectionName, key: string): KeyRow | undefined {
  const folded = key.toLowerCase();
  return KEY_TABLE[section].find((row) => row.key.toLowerCase() === folded);
}
