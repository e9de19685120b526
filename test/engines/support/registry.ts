import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Debian's `docker-registry` on loopback. */
export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Pushes the image of an OCI layout, `FOLDER` or `FOLDER:TAG`, by skopeo. @param options more of skopeo's: `--format v2s2` … */
  push(layout: string, name: string, options?: readonly string[]): void;
  /** The manifest as it lies there, as skopeo reads it back. */
  manifest(name: string): { readonly mediaType?: string; readonly layers?: readonly { readonly mediaType: string }[] };
  /** The manifest's digest, as skopeo reads it back. */
  digest(name: string): string;
  stop(): void;
}

export interface RegistryAccount {
  readonly user: string;
  readonly password: string;
}

export async function startRegistry(account: RegistryAccount | null = null): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  writeFileSync(join(folder, "config.yml"), configText(folder, host, account !== null));
  if (account !== null) {
    const line = execFileSync("htpasswd", ["-Bbn", account.user, account.password], { encoding: "utf8" });
    writeFileSync(join(folder, "htpasswd"), line);
  }
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  await listening(child, `http://${host}/v2/`);
  const credentials = account === null ? [] : ["--dest-creds", `${account.user}:${account.password}`];
  const reading = account === null ? [] : ["--creds", `${account.user}:${account.password}`];
  return {
    host,
    push(layout, name, options = []) {
      const target = ["--dest-tls-verify=false", ...credentials, `oci:${layout}`, `docker://${host}/${name}`];
      execFileSync("skopeo", ["--insecure-policy", "copy", "--quiet", ...options, ...target], {
        stdio: ["ignore", "ignore", "pipe"],
      });
    },
    manifest: (name) =>
      JSON.parse(
        execFileSync("skopeo", ["inspect", "--tls-verify=false", ...reading, "--raw", `docker://${host}/${name}`], {
          encoding: "utf8",
        }),
      ),
    digest: (name) =>
      execFileSync(
        "skopeo",
        ["inspect", "--tls-verify=false", ...reading, "--format", "{{.Digest}}", `docker://${host}/${name}`],
        {
          encoding: "utf8",
        },
      ).trim(),
    stop() {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
    },
  };
}

function configText(folder: string, host: string, isPrivate: boolean): string {
  return [
    "version: 0.1",
    "log: {level: error}",
    `storage: {filesystem: {rootdirectory: ${folder}/data}}`,
    `http: {addr: "${host}"}`,
    ...(isPrivate ? [`auth: {htpasswd: {realm: lab, path: ${folder}/htpasswd}}`] : []),
  ].join("\n");
}

async function listening(child: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(50);
  }
  throw new Error("docker-registry does not answer");
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
