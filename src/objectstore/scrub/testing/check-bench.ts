import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { SYSTEM_PRINCIPAL } from "../../../core/principal.ts";
import { openState } from "../../../state/open.ts";
import type { State } from "../../../state/state.ts";
import { FileBlobs } from "../../file-blobs.ts";
import type { StoreFinding } from "../findings.ts";
import type { CheckOptions } from "../store-check.ts";

const FAST = { repair: false, bytesPerSecond: 1e12 };

/** A real state and real blob files in a folder, with the ways in which disks spoil them. Objects are in the bucket "box"; up to 100 bytes lie in
 *  their rows. */
export class CheckBench {
  readonly folder: string;
  readonly state: State;
  readonly blobs: FileBlobs;

  private constructor(folder: string, state: State, blobs: FileBlobs) {
    this.folder = folder;
    this.state = state;
    this.blobs = blobs;
  }

  /** @param folder of a bench that is closed: all that its process knew is forgotten */
  static async open(folder?: string): Promise<CheckBench> {
    const at = folder ?? mkdtempSync(join(tmpdir(), "sluice-check-"));
    const state = await openState({ driver: "sqlite", file: join(at, "state.db") });
    const blobs = await FileBlobs.open({
      folder: join(at, "blobs"),
      slotsGid: null,
      keepFreeBytes: 0,
      inlineBytes: 100,
    });
    if (folder === undefined) await state.createBucket(SYSTEM_PRINCIPAL, "box");
    return new CheckBench(at, state, blobs);
  }

  async close(): Promise<void> {
    await this.blobs.close();
    await this.state.close();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  stage(bytes: Uint8Array) {
    return this.blobs.stage(Readable.from([bytes]));
  }

  /** Returns the blob's id. */
  async put(key: string, bytes: Uint8Array): Promise<string> {
    const blob = await this.stage(bytes);
    const facts = { contentType: "", metadata: {}, headers: {}, checksums: {}, condition: null, lineage: null, at: 1 };
    await this.state.commitUpload({ by: SYSTEM_PRINCIPAL, bucket: "box", key, blob, ...facts });
    return blob.blobId;
  }

  async get(key: string): Promise<Buffer> {
    const object = await this.state.object("box", key);
    if (object === null) throw new Error(`there is no object ${key}`);
    return Buffer.concat(await Array.fromAsync(this.blobs.read(object, 0, object.sizeBytes)));
  }

  delete(key: string) {
    return this.state.deleteObjects(SYSTEM_PRINCIPAL, "box", [{ key }], 1);
  }

  pathOf(blobId: string): string {
    return join(this.folder, "blobs", blobId.slice(0, 2), blobId);
  }

  exists(blobId: string): boolean {
    return existsSync(this.pathOf(blobId));
  }

  /** Changes the bytes of a blob's file. */
  spoil(blobId: string, change: (bytes: Buffer) => Buffer = flipBit): void {
    const path = this.pathOf(blobId);
    const spoiled = change(readFileSync(path));
    chmodSync(path, 0o600);
    writeFileSync(path, spoiled);
    chmodSync(path, 0o400);
  }

  /** Changes rows behind the state's back. */
  sql(text: string): void {
    const db = new DatabaseSync(join(this.folder, "state.db"), { timeout: 5000 });
    db.exec(text);
    db.close();
  }

  /** A file that no row names. */
  orphan(blobId = "ab".repeat(16)): string {
    writeFileSync(this.pathOf(blobId), "left over");
    return blobId;
  }

  /** Everything a check says but its progress. */
  async check(options: Partial<CheckOptions> = {}, signal = new AbortController().signal): Promise<StoreFinding[]> {
    const check = this.blobs.openCheck(this.state);
    const findings = await Array.fromAsync(check.run({ ...FAST, ...options }, signal));
    return findings.filter(({ kind }) => kind !== "progress");
  }
}

function flipBit(bytes: Buffer): Buffer {
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}
