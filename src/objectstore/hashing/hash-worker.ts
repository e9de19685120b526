import { parentPort } from "node:worker_threads";
import { BlobHash } from "../blob-hash.ts";
import type { FromHashWorker, ToHashWorker } from "./hash-messages.ts";

/** A thread that hashes bodies, many at a time, each in the order of its pieces. */
const hashes = new Map<number, BlobHash>();

function answer(message: FromHashWorker): void {
  parentPort?.postMessage(message);
}

parentPort?.on("message", (message: ToHashWorker) => {
  const { id } = message;
  if (message.kind === "open") {
    hashes.set(id, new BlobHash(message.startsAt));
    return;
  }
  const hash = hashes.get(id);
  if (hash === undefined) return;
  if (message.kind === "add") {
    let bytes = 0;
    for (const piece of message.pieces) {
      hash.update(piece);
      bytes += piece.length;
    }
    answer({ id, kind: "hashed", bytes });
    return;
  }
  hashes.delete(id);
  if (message.kind === "end") answer({ id, kind: "facts", facts: hash.facts(message.blobId) });
});
