import { readFile } from "node:fs/promises";
import type { Server, ServerOptions } from "node:http";
import { SluiceError } from "../core/errors.ts";
import { createServer } from "./node-http.ts";

/** Where a port's certificate chain and private key lie, both PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What they hold. */
export interface TlsKeys {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads a certificate and its key, and makes sure that they belong together.
 *  @throws SluiceError CONFIG_INVALID, which tells nothing of the key */
export async function readTlsKeys(files: TlsFiles): Promise<TlsKeys> {
  const [cert, key] = await Promise.all([readPem(files.cert), readPem(files.key)]);
  try {
    process.getBuiltinModule("node:tls").createSecureContext({ cert, key });
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new SluiceError(
      "CONFIG_INVALID",
      `Cannot use the certificate ${files.cert} with the key ${files.key}: they do not belong together or are no PEM (${why})`,
    );
  }
  return { cert, key };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new SluiceError(
      "CONFIG_INVALID",
      `Cannot read ${path}: ${why} (certificate and key are read at the start and at SIGHUP)`,
    );
  }
}

/** An HTTP/1.1 server; with keys it speaks TLS alone (1.2 and up). The modules for it are loaded only then: they take memory. */
export function createPortServer(options: ServerOptions, keys: TlsKeys | null): Server {
  if (keys === null) return createServer(options);
  return process.getBuiltinModule("node:https").createServer({ ...options, ...keys });
}

/** New connections get these keys; open ones go on. Does nothing for a server without TLS. */
export function renewTlsKeys(server: Server, keys: TlsKeys): void {
  if ("setSecureContext" in server && typeof server.setSecureContext === "function") server.setSecureContext(keys);
}
