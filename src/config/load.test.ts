import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isSluiceError } from "../core/errors.ts";
import type { Config } from "./config.ts";
import { type ConfigSources, loadConfig } from "./load.ts";

const MACHINE = { cores: 2, memoryBytes: 10 * 1024 ** 3 };
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(sources: Partial<ConfigSources> = {}): Promise<Config> {
  return loadConfig({ flags: {}, env: {}, cwd: "/srv", machine: MACHINE, ...sources });
}

function file(content: string | Uint8Array): string {
  const path = join(folder, "sluice.yaml");
  writeFileSync(path, content);
  return path;
}

/** The problems of settings that must be refused; the file's folder is left out. */
async function problems(sources: Partial<ConfigSources>): Promise<string[]> {
  try {
    await load(sources);
  } catch (error) {
    if (!isSluiceError(error, "CONFIG_INVALID")) throw error;
    const told = error.details?.problems;
    return (Array.isArray(told) ? told : [error.message]).map((one) => String(one).replace(`${folder}/`, ""));
  }
  throw new Error("the settings were taken");
}

test("without anything, the defaults of a machine of two cores", async () => {
  expect(await load()).toEqual({
    dataDir: "/srv/sluice-data",
    blobsDir: null,
    host: "127.0.0.1",
    api: { port: 8080, publicUrl: null, tls: null },
    s3: { port: 9000, publicUrl: null, tls: null, domains: [] },
    trustedProxies: [],
    logLevel: "info",
    drainMs: 30_000,
    metricsPublic: false,
    local: { cpuMilli: 2000, memoryBytes: 8 * 1024 ** 3, diskBytes: null, slots: 6 },
    slots: { uidBase: 200_000, count: 256, gid: 200_000 },
    sandbox: {
      driver: "bubblewrap",
      idleMs: 600_000,
      engineSocket: null,
      engineNetwork: null,
      allowHostNetwork: false,
      extraPaths: [],
    },
    images: {
      maxBytes: null,
      plainHttp: [],
      privateNetworks: false,
      mirrors: [],
      dockerConfig: null,
      pullSecrets: {},
      pullSecretUsers: [],
      credentialHelpers: [],
      folders: [],
    },
    timeouts: { defaultMs: null, maxMs: null, syncMs: 300_000 },
    jobs: { keepMs: 30 * 86_400_000 },
    changes: { keepMs: 7 * 86_400_000 },
    store: { inlineBytes: 65_536, keepFreeBytes: null, scrubMs: 30 * 86_400_000 },
    logs: { maxBytes: 64 * 1024 ** 2 },
    limits: { pids: 2048, files: 100_000, eventBytes: 64 * 1024 ** 2 },
    admin: { user: null, password: null, accessKey: null, secretKey: null },
  });
});

test("this machine's own cores and memory are found", async () => {
  const { local } = await loadConfig({ flags: {}, env: {} });
  expect(local.cpuMilli).toBeGreaterThanOrEqual(1000);
  expect(local.memoryBytes).toBeGreaterThan(64 * 1024 ** 2);
  expect(local.slots).toBe(Math.min(256, (local.cpuMilli / 1000) * 3));
});

test("flags win over the environment, which wins over the file", async () => {
  const config = file("port: 1000\ns3_port: 1001\nhost: 10.0.0.1\nlocal:\n  slots: 7\n  cpu: 1500m\n");
  const env = { SLUICE_PORT: "2000", SLUICE_S3_PORT: "2001", SLUICE_LOCAL_SLOTS: "8" };
  const loaded = await load({ flags: { config, port: "3000" }, env });
  expect([loaded.api.port, loaded.s3.port, loaded.host]).toEqual([3000, 2001, "10.0.0.1"]);
  expect(loaded.local).toMatchObject({ slots: 8, cpuMilli: 1500 });
  expect((await load({ env: { SLUICE_CONFIG: config } })).api.port).toBe(1000);
});

test("a file may set every kind of field", async () => {
  const config = file(`
data: data
log_level: debug
drain: 1m30s
public_url: https://sluice.example.org/
s3_public_url: http://[::1]:9000
trusted_proxies: [10.0.0.0/8, "::1"]
metrics_public: yes
allow_host_network: true
local: {memory: 2Gi, disk: 100Gi}
host_image: {extra_paths: [/opt/tools/, /srv/models]}
timeouts: {default: 10m, max: 1h, sync: 60}
tls: {cert: tls/api.pem, key: /etc/api.key}
store: {inline_bytes: 0, keep_free: 0, scrub: 0}
jobs:
changes: {keep: null}
`);
  expect(await load({ flags: { config } })).toMatchObject({
    dataDir: "/srv/data",
    logLevel: "debug",
    drainMs: 90_000,
    api: { publicUrl: "https://sluice.example.org", tls: { cert: "/srv/tls/api.pem", key: "/etc/api.key" } },
    s3: { publicUrl: "http://[::1]:9000" },
    trustedProxies: ["10.0.0.0/8", "::1"],
    metricsPublic: true,
    local: { memoryBytes: 2 * 1024 ** 3, diskBytes: 100 * 1024 ** 3 },
    sandbox: { allowHostNetwork: true, extraPaths: ["/opt/tools", "/srv/models"] },
    timeouts: { defaultMs: 600_000, maxMs: 3_600_000, syncMs: 60_000 },
    store: { inlineBytes: 0, keepFreeBytes: 0, scrubMs: 0 },
    jobs: { keepMs: 30 * 86_400_000 },
    changes: { keepMs: 7 * 86_400_000 },
  });
});

test("lists may come as texts with commas, an empty variable counts as not set", async () => {
  const loaded = await load({
    env: { SLUICE_TRUSTED_PROXIES: "10.0.0.1, 10.1.0.0/16", SLUICE_HOST: "", SLUICE_METRICS_PUBLIC: "1" },
  });
  expect(loaded.trustedProxies).toEqual(["10.0.0.1", "10.1.0.0/16"]);
  expect(loaded.host).toBe("127.0.0.1");
  expect(loaded.metricsPublic).toBe(true);
});

test("every problem is told at once, with where it comes from", async () => {
  const config = file("port: 99999\nprot: 1\nlocal:\n  slot: 4\n  cpu: many\nslots: 5\nkeep: 1d\nport: 1\n");
  const env = { SLUICE_DRAIN: "soon", SLUICE_PUBLIC_URL: "files.example.org", SLUICE_LOG_LEVL: "debug" };
  expect((await problems({ flags: { config, host: "http://x" }, env })).toSorted()).toEqual([
    'environment SLUICE_DRAIN: drain: "soon" is no duration (write for example 90s, 10m or 30d)',
    "environment SLUICE_LOG_LEVL: unknown variable (did you mean SLUICE_LOG_LEVEL?)",
    'environment SLUICE_PUBLIC_URL: public_url: "files.example.org" is no http or https address (write for example https://files.example.org)',
    'flag --host: host: "http://x" is no IP address or host name (write it without scheme and port)',
    'sluice.yaml:1:1: port: "99999" is no whole number from 0 to 65535',
    'sluice.yaml:2:1: prot: unknown key "prot" (did you mean "port"?)',
    'sluice.yaml:4:3: local.slot: unknown key "slot" (did you mean "local.slots"?)',
    'sluice.yaml:5:3: local.cpu: "many" is no number of cores (write for example 2 or 500m)',
    "sluice.yaml:6:1: slots: a map of fields belongs here",
    'sluice.yaml:7:1: keep: unknown key "keep" (did you mean "jobs.keep"?)',
    'sluice.yaml:8:1: the key "port" stands here a second time (keep one of the two)',
  ]);
});

test.each([
  ["port: 9000", "s3_port: the API listens on 9000 too"],
  [
    "local: {slots: 300}",
    "sluice.yaml:1:9: local.slots: 300 jobs at once need as many user ids, and slots.count is 256",
  ],
  ["timeouts: {default: 2h, max: 1h}", "sluice.yaml:1:12: timeouts.default: it is longer than timeouts.max"],
  [
    "store: {inline_bytes: 2Mi}",
    "sluice.yaml:1:9: store.inline_bytes: it is more than 1Mi, and such rows slow every query",
  ],
  ["blobs_dir: sluice-data/blobs", "sluice.yaml:1:1: blobs_dir: it and the data directory lie one in the other"],
  ["blobs_dir: /srv", "sluice.yaml:1:1: blobs_dir: it and the data directory lie one in the other"],
  [
    "blobs_dir: /mnt/blobs\nhost_image: {extra_paths: [/mnt]}",
    'sluice.yaml:2:14: host_image.extra_paths: "/mnt" would show the data directory or its blobs to scripts',
  ],
  ["tls: {cert: a.pem}", "sluice.yaml:1:1: tls: a certificate and its key belong together"],
  ["s3_tls: {key: a.pem}", "sluice.yaml:1:1: s3_tls: a certificate and its key belong together"],
  [
    "host_image: {extra_paths: [/srv]}",
    'sluice.yaml:1:14: host_image.extra_paths: "/srv" would show the data directory or its blobs to scripts',
  ],
  [
    "host_image: {extra_paths: [/srv/sluice-data/x]}",
    'sluice.yaml:1:14: host_image.extra_paths: "/srv/sluice-data/x" would show the data directory or its blobs to scripts',
  ],
])("fields that do not go together are told: %s", async (text, problem) => {
  expect(await problems({ flags: { config: file(text) } })).toEqual([problem]);
});

test.each(["/", "relative", "/proc", "/sys/fs", "/run", "/var/run/x", "/var", "/dev", "/opt/../etc", "/opt//x"])(
  "scripts are never shown %s",
  async (path) => {
    const env = { SLUICE_HOST_IMAGE_EXTRA_PATHS: path };
    expect((await problems({ env }))[0]).toContain("is no path that scripts may see");
  },
);

test.each([
  ["trusted_proxies: [10.0.0.0/33]", "is no IP address or network"],
  ["trusted_proxies: [proxy.example.org]", "is no IP address or network"],
  ["trusted_proxies: {a: 1}", "is no IP address or network"],
  ["public_url: https://user:pass@example.org", "is no http or https address"],
  ["public_url: ftp://example.org", "is no http or https address"],
  ["public_url: https://example.org/?x=1", "is no http or https address"],
  ["host: 0.0.0.0:80", "is no IP address or host name"],
  ["log_level: verbose", "is none of debug, info, warn, error"],
  ["metrics_public: maybe", "is neither true nor false"],
  ["port: 80.5", "is no whole number"],
  ["port: [80]", "is no whole number"],
  ["data: ''", "the text is empty"],
  ["logs: {max_bytes: 1}", "is less than 65536 bytes"],
  ["jobs: {keep: 1s}", "is not between 1m and"],
  ["drain: 30d", "is not between 0s and"],
  ["sandbox: {driver: bubblewarp}", 'did you mean "bubblewrap"?'],
  ["- a", "the file is no map of fields"],
  ["a: 1\n---\nb: 2", "a second document stands here"],
  ["\tport: 1", "sluice.yaml:1:1"],
])("%j is refused", async (text, part) => {
  expect((await problems({ flags: { config: file(text) } })).join("\n")).toContain(part);
});

test("a file that is absent or no text is told", async () => {
  expect((await problems({ flags: { config: "/nowhere/sluice.yaml" } }))[0]).toBe(
    "Cannot read the configuration /nowhere/sluice.yaml: there is no such file",
  );
  expect((await problems({ flags: { config: folder } }))[0]).toContain("it cannot be read (EISDIR)");
  expect(await problems({ flags: { config: file(Buffer.from([0x61, 0xff])) } })).toEqual([
    "sluice.yaml:1:2: the file is not valid UTF-8",
  ]);
});

test("credentials come from the environment alone and are never shown", async () => {
  const env = {
    SLUICE_ADMIN_USER: "ada",
    SLUICE_ADMIN_PASSWORD: "correct horse",
    SLUICE_ACCESS_KEY: "AKADA",
    SLUICE_SECRET_KEY: "secret-of-ada",
  };
  expect((await load({ env })).admin).toEqual({
    user: "ada",
    password: "correct horse",
    accessKey: "AKADA",
    secretKey: "secret-of-ada",
  });
  const inFile = await problems({ flags: { config: file("admin: {password: hush-hush-hush}") } });
  expect(inFile).toEqual([expect.stringContaining("credentials are taken from the environment alone")]);
  expect(inFile.join()).not.toContain("hush");
  expect(await problems({ env: { SLUICE_ADMIN_PASSWORD: "hush" } })).toEqual([
    "environment SLUICE_ADMIN_PASSWORD: admin.password: it has fewer than 8 characters",
  ]);
  expect((await problems({ env: { SLUICE_ADMIN_USER: "a:b" } }))[0]).toContain("holds a colon");
  expect((await load({ flags: { "admin-user": "eve", admin: "eve" } })).admin.user).toBeNull();
});

test("variables of others are left alone", async () => {
  const env = {
    SLUICE_PORT: "tcp://10.0.0.1:80",
    SLUICE_PORT_80_TCP: "tcp://10.0.0.1:80",
    SLUICE_PORT_80_TCP_PORT: "80",
    SLUICE_SERVICE_HOST: "10.0.0.1",
    SLUICE_SERVICE_PORT: "80",
    SLUICE_ENDPOINT: "http://x",
    SLUICE_TOKEN: "t",
    SLUICE_CRASH_AT: "x",
    SLUICE_SOMETHING_ELSE_ENTIRELY: "1",
    PORT: "1",
  };
  expect((await load({ env })).api.port).toBe(8080);
});

test("what the command keeps for itself is no field", async () => {
  expect((await load({ flags: { json: true, help: false, port: undefined, "local-slots": "9" } })).local.slots).toBe(6);
});

test("the result cannot be changed", async () => {
  const config = await load();
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.local)).toBe(true);
  expect(Object.isFrozen(config.trustedProxies)).toBe(true);
});

test("keys like those of objects are unknown keys", async () => {
  expect(await problems({ flags: { config: file("__proto__: {port: 1}\nconstructor: 2\n") } })).toHaveLength(2);
  expect((await load()).api.port).toBe(8080);
});

test("images: registries, mirrors and credentials are read as they are meant", async () => {
  const env = {
    SLUICE_IMAGES_PLAIN_HTTP: "Registry.lab:5000,[::1]:5000",
    SLUICE_IMAGES_MIRRORS: "docker.io=a.lab,docker.io=b.lab:80",
    SLUICE_IMAGES_PULL_SECRETS: "lab=secrets/lab.json",
    SLUICE_IMAGES_PULL_SECRET_USERS: "lab=ada",
  };
  const { images } = await load({ env });
  expect(images).toMatchObject({
    plainHttp: ["registry.lab:5000", "[::1]:5000"],
    mirrors: [
      ["docker.io", "a.lab"],
      ["docker.io", "b.lab:80"],
    ],
    pullSecrets: { lab: "/srv/secrets/lab.json" },
    pullSecretUsers: [["lab", "ada"]],
  });
  await expect(load({ env: { SLUICE_IMAGES_MIRRORS: "docker.io" } })).rejects.toThrow("not of the form NAME=HOST");
  await expect(load({ env: { SLUICE_IMAGES_CREDENTIAL_HELPERS: "../x" } })).rejects.toThrow("no word");
});
