import type { S3Client } from "../client/s3.ts";
import type { ListedObject } from "../client/s3-answers.ts";
import type { RemotePath } from "./remote-path.ts";
import { inBucket } from "./store.ts";

/** Every object below a prefix, page by page, in the order of keys. @throws SluiceError BUCKET_UNKNOWN with the bucket in its details */
export async function* eachObject(s3: S3Client, bucket: string, prefix: string): AsyncGenerator<ListedObject> {
  let after: string | null = null;
  do {
    const options: { prefix: string; after?: string } = after === null ? { prefix } : { prefix, after };
    const page = await inBucket(bucket, () => s3.list(bucket, options));
    yield* page.objects;
    after = page.next;
  } while (after !== null);
}

/** What lies in one folder: its objects and the folders in it. */
export interface FolderListing {
  readonly folders: readonly string[];
  readonly objects: readonly ListedObject[];
}

/** Lists like a file system: `BUCKET/in` and `BUCKET/in/` show what is in the folder; when there is none, what begins with `in`. */
export async function listFolder(s3: S3Client, { bucket, key, isFolder }: RemotePath): Promise<FolderListing> {
  if (isFolder) return listLevel(s3, bucket, key);
  const inside = await listLevel(s3, bucket, `${key}/`);
  const found = inside.folders.length + inside.objects.length > 0;
  return found ? inside : listLevel(s3, bucket, key);
}

async function listLevel(s3: S3Client, bucket: string, prefix: string): Promise<FolderListing> {
  const folders: string[] = [];
  const objects: ListedObject[] = [];
  let after: string | null = null;
  do {
    const options: { prefix: string; delimiter: string; after?: string } = { prefix, delimiter: "/" };
    if (after !== null) options.after = after;
    const page = await inBucket(bucket, () => s3.list(bucket, options));
    folders.push(...page.commonPrefixes);
    objects.push(...page.objects);
    after = page.next;
  } while (after !== null);
  return { folders, objects };
}
