import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { makeCertificate } from "../../test/support/certificate.ts";
import { createPortServer, readTlsKeys, renewTlsKeys, type TlsFiles } from "./port-server.ts";

let folder = "";
let one: TlsFiles;
let two: TlsFiles;
const servers: Server[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-tls-"));
  one = makeCertificate(folder, "one");
  two = makeCertificate(folder, "two");
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function portOf(server: Server): Promise<number> {
  servers.push(server.on("request", (_, response) => response.end("hello")).listen(0, "127.0.0.1"));
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The name in the certificate that the port shows. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

async function said(port: number, text: string): Promise<string> {
  const socket = connectPlain(port, "127.0.0.1").on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.write(text);
  await once(socket, "close");
  return answer;
}

it("speaks TLS alone with keys, and shows new ones to new connections", async () => {
  const server = createPortServer({}, await readTlsKeys(one));
  const port = await portOf(server);
  expect(await shown(port)).toBe("one");
  expect(await said(port, "GET / HTTP/1.0\r\n\r\n")).not.toContain("hello");
  renewTlsKeys(server, await readTlsKeys(two));
  expect(await shown(port)).toBe("two");
});

it("speaks plain HTTP without keys, whatever keys come later", async () => {
  const server = createPortServer({}, null);
  const port = await portOf(server);
  renewTlsKeys(server, await readTlsKeys(one));
  expect(await said(port, "GET / HTTP/1.0\r\n\r\n")).toContain("hello");
});

it.each<[string, () => TlsFiles, string]>([
  ["another's key", () => ({ ...one, key: two.key }), "do not belong together"],
  ["a file that is not there", () => ({ ...one, cert: join(folder, "none") }), "ENOENT"],
  ["a folder", () => ({ ...one, key: folder }), "EISDIR"],
  ["text", () => ({ cert: writeText(), key: one.key }), "no PEM"],
])("refuses %s and shows nothing of the key", async (_, files, words) => {
  const error = await readTlsKeys(files()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(words) });
  const secret = readFileSync(one.key, "utf8").split("\n")[1] ?? "";
  expect(`${error instanceof Error ? error.stack : ""} ${JSON.stringify(error)}`).not.toContain(secret);
});

function writeText(): string {
  const path = join(folder, "text");
  writeFileSync(path, "no certificate\n");
  return path;
}
