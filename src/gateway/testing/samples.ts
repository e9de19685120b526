import type { Job } from "../../core/job.ts";
import type { StoredObject } from "../../core/object.ts";
import type { Service } from "../../core/service.ts";
import { ANY_SERVER } from "../../fdl/check-service.ts";
import { serviceFromDefinition } from "../../fdl/service-definition.ts";

export const NOW = 1_700_000_000_000;

/** A definition as a client posts it. */
export const definitionOf = (name: string, over: Record<string, unknown> = {}): Record<string, unknown> => ({
  name,
  image: "host",
  script: "#!/bin/sh\ncat $INPUT_FILE_PATH\n",
  cpu: "0.5",
  memory: "64Mi",
  environment: { variables: { LEVEL: "3" }, secrets: { PASSPHRASE: "hush-hush" } },
  input: [{ storage_provider: "minio", path: "photos/in" }],
  output: [{ storage_provider: "minio", path: "photos/out" }],
  ...over,
});

export const specOf = (name: string, over: Record<string, unknown> = {}): Service =>
  serviceFromDefinition(definitionOf(name, over), ANY_SERVER).spec;

export const jobOf = (id: string, over: Partial<Job> = {}): Job => ({
  id,
  service: "thumbs",
  revisionId: "rev-1",
  owner: "ada",
  state: "QUEUED",
  reason: null,
  message: "",
  priority: 0,
  runName: null,
  eventId: "e1",
  rootEventId: "e1",
  parentJobId: null,
  hops: 0,
  retryOf: null,
  input: null,
  inputBytes: 0,
  createdAt: NOW,
  notBefore: NOW,
  startedAt: null,
  endedAt: null,
  attempt: 0,
  counts: { scriptFailures: 0, infrastructureEnds: 0, uncleanStops: 0 },
  exitCode: null,
  signal: null,
  usage: null,
  replacedOutputs: 0,
  outputCount: 0,
  ...over,
});

export const objectOf = (bucket: string, key: string, over: Partial<StoredObject> = {}): StoredObject => ({
  bucket,
  key,
  versionSeq: 1,
  versionId: "null",
  isLatest: true,
  isDeleteMarker: false,
  sizeBytes: 3,
  etag: "acbd18db4cc2f85cedef654fccc4a4d8",
  contentType: "image/jpeg",
  metadata: {},
  headers: {},
  checksums: {},
  tags: {},
  parts: null,
  lastModified: NOW,
  owner: "ada",
  jobId: null,
  blob: { kind: "file", blobId: "b1" },
  blockCrc32c: new Uint8Array(4),
  ...over,
});
