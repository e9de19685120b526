import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeCertificate } from "../../test/support/certificate.ts";
import { loadConfig } from "../config/load.ts";
import { createLog } from "../lib/log.ts";
import type { TlsFiles } from "../lib/port-server.ts";
import { readPortKeys, renewPortKeys } from "./port-keys.ts";

let folder = "";
let one: TlsFiles;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-keys-"));
  one = makeCertificate(folder, "one");
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = (env: Record<string, string>) => loadConfig({ flags: {}, env, cwd: folder });
const onApi = { SLUICE_TLS_CERT: "one.crt", SLUICE_TLS_KEY: "one.key" };

it("renews ports that had keys, and leaves to a restart what would begin or end", async () => {
  const given: string[] = [];
  const lines: string[] = [];
  const log = createLog("warn", (line) => lines.push(line));
  const ports = { api: () => void given.push("api"), s3: () => void given.push("s3") };
  const atStart = await readPortKeys(await config(onApi));
  expect([atStart.api?.cert.toString().slice(0, 10), atStart.s3]).toEqual(["-----BEGIN", null]);
  await renewPortKeys(atStart, await config(onApi), ports, log);
  expect([given, lines]).toEqual([["api"], []]);
  await renewPortKeys(atStart, await config({ SLUICE_S3_TLS_CERT: one.cert, SLUICE_S3_TLS_KEY: one.key }), ports, log);
  expect([given, lines.length]).toEqual([["api"], 2]);
  const wrong = await config({ ...onApi, SLUICE_S3_TLS_CERT: one.cert, SLUICE_S3_TLS_KEY: "none" });
  await expect(renewPortKeys(atStart, wrong, ports, log)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(given).toEqual(["api"]);
});
