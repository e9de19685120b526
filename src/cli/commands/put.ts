import { extname } from "node:path";
import { defineCommand, expectArguments } from "../arguments.ts";
import { type Io, say, tell } from "../io.ts";
import { parseRemotePath, type RemotePath } from "../remote-path.ts";
import { reportFailures } from "../report-failures.ts";
import { SERVER_OPTIONS } from "../server-options.ts";
import { inBucket, type Store, withStore } from "../store.ts";
import { printable } from "../text.ts";
import { type SendBytes, uploadFile } from "../upload.ts";
import { IN_PARTS_FROM_BYTES, partSender, uploadInParts } from "../upload-in-parts.ts";
import { type PlannedUpload, planUploads, type UploadPlan } from "../upload-plan.ts";
import { watchTransfers } from "../watched-transfers.ts";

const USAGE = "put PATH… BUCKET/PREFIX/";

export const command = defineCommand({
  name: "put",
  summary: "Upload files and folders",
  usage: [USAGE, "put FILE BUCKET/KEY"],
  description: [
    "What lies in a folder keeps its place below the prefix. A target that does not end in a slash is the exact key of one file.",
    "Large files are sent in parts: run an upload that was cut again, and it sends what the store does not have yet.",
    "Services whose input path the keys fall under start by themselves: follow them with `sluice jobs wait --all`.",
  ],
  options: { ...SERVER_OPTIONS },
  examples: [
    "sluice put cat.jpg photos/in/",
    "sluice put holiday/ photos/in/2026/",
    "sluice put cat.jpg photos/in/tom.jpg",
  ],
  async run({ flags, positionals }, io) {
    const words = expectArguments(USAGE, positionals, 2);
    const target = parseRemotePath(words.at(-1) ?? "");
    const plan = await planUploads(words.slice(0, -1), target);
    for (const line of plan.skipped) tell(io, printable(line));
    return withStore(flags, io, (store) => putAll(store, target, plan, io));
  },
});

async function putAll(
  { s3 }: Store,
  { bucket, key, isFolder }: RemotePath,
  { files }: UploadPlan,
  io: Io,
): Promise<number> {
  const send: SendBytes = (to, body, sizeBytes) =>
    inBucket(bucket, () => s3.put(bucket, to, body, sizeBytes, contentType(to)));
  const upload = (file: PlannedUpload, onBytes: (count: number) => void): Promise<void> => {
    if (file.sizeBytes < IN_PARTS_FROM_BYTES) return uploadFile(file, send, onBytes);
    const sender = partSender(s3.multipart, bucket, file.key, contentType(file.key));
    return inBucket(bucket, () => uploadInParts(file, sender, onBytes));
  };
  const { failures, amount, took } = await watchTransfers(io, files, (file) => file.path, upload);
  const where = isFolder && key === "" ? bucket : `${bucket}/${key}`;
  say(io, `Uploaded ${amount}, to ${printable(where)} in ${took}`);
  return reportFailures(io, "upload", failures);
}

/** The types that browsers show; everything else is bytes. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".png": "image/png",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".svg": "image/svg+xml",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".html": "text/html; charset=utf-8",
};

const contentType = (key: string): string => CONTENT_TYPES[extname(key).toLowerCase()] ?? "application/octet-stream";
