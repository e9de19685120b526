import type { S3Client } from "../client/s3.ts";
import { SluiceError } from "../core/errors.ts";
import { nearest } from "../lib/nearest.ts";
import { type Connection, connect } from "./connect.ts";
import type { Io } from "./io.ts";
import type { ServerFlags } from "./server-options.ts";

/** The object store of a server. */
export interface Store extends Connection {
  readonly s3: S3Client;
  /** True when the keys came from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
  readonly ownKeys: boolean;
}

/** Runs `task` with the object store of the server, and puts into its errors what a person needs to mend them: the bucket that was meant, the
 *  keys that were used. Address and keys come from the server, SLUICE_S3_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go before.
 *  @throws SluiceError UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, BUCKET_UNKNOWN and what `task` throws */
export async function withStore<T>(flags: ServerFlags, io: Io, task: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(flags, io);
  try {
    return await task(store);
  } catch (error) {
    throw await explain(error, store);
  } finally {
    store.s3.close();
  }
}

async function openStore(flags: ServerFlags, io: Io): Promise<Store> {
  const connection = await connect(flags, io);
  const { createS3Client } = await import("../client/s3.ts");
  const { SLUICE_S3_ENDPOINT: endpoint, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = io.env;
  if (endpoint && accessKey && secretKey) {
    return { ...connection, s3: createS3Client({ endpoint, accessKey, secretKey }), ownKeys: true };
  }
  const { minio_provider: provider } = await connection.client.getConfig();
  const ownKeys = Boolean(accessKey && secretKey);
  const keys = ownKeys
    ? { accessKey: accessKey ?? "", secretKey: secretKey ?? "" }
    : { accessKey: provider.access_key, secretKey: provider.secret_key };
  if (keys.accessKey === "") {
    throw new SluiceError(
      "FORBIDDEN",
      "Cannot use the object store: these credentials have no S3 keys (log in as a user)",
    );
  }
  const s3 = createS3Client({ endpoint: endpoint || provider.endpoint, ...keys, region: provider.region });
  return { ...connection, s3, ownKeys };
}

async function explain(error: unknown, store: Store): Promise<unknown> {
  if (!(error instanceof SluiceError)) return error;
  const { code, message } = error;
  if ((code === "FORBIDDEN" || code === "UNAUTHENTICATED") && store.ownKeys) {
    return new SluiceError(code, `${message} (the keys of AWS_ACCESS_KEY_ID were used; unset it to use the server's)`, {
      cause: error,
    });
  }
  const bucket = error.details?.bucket;
  if (code !== "BUCKET_UNKNOWN" || typeof bucket !== "string") return error;
  return new SluiceError(code, await unknownBucket(bucket, store), { cause: error });
}

async function unknownBucket(bucket: string, { s3 }: Store): Promise<string> {
  const names = await s3.buckets().then(
    (buckets) => buckets.map(({ name }) => name),
    () => [],
  );
  const close = nearest(bucket, names);
  const cure = `make it with: sluice mb ${bucket}`;
  return `Cannot find the bucket "${bucket}": there is none of that name (${close === null ? cure : `did you mean "${close}"? or ${cure}`})`;
}

/** Names the bucket in errors that miss it, so that they can be explained. */
export async function inBucket<T>(bucket: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "BUCKET_UNKNOWN") throw error;
    throw new SluiceError(error.code, error.message, { cause: error, details: { bucket } });
  }
}
