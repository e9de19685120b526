import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

/** Which rooms of src/ a room may import. Everybody may import itself, `core` and `lib`.
 *  `*` is for the two composition roots and for `cli/commands`, which load them on demand. */
const MAY_IMPORT: Record<string, readonly string[] | "*"> = {
  core: [],
  lib: [],
  config: [],
  fdl: [],
  events: [],
  s3: [],
  state: [],
  identity: ["state"],
  jobs: ["state", "identity", "logs", "dispatch", "scheduler"],
  objectstore: ["state", "identity", "s3"],
  logs: ["state"],
  images: [],
  sandbox: [],
  supervisor: ["state", "sandbox", "images"],
  backend: ["state", "objectstore", "logs", "sandbox", "supervisor"],
  scheduler: ["state"],
  dispatch: ["state", "scheduler", "backend"],
  client: ["s3"],
  gateway: ["state", "identity", "jobs", "objectstore", "logs", "dispatch", "events", "fdl", "sandbox", "images"],
  cli: ["client", "fdl", "s3", "config"],
  main: "*",
};

/** Places outside the table, each with its reason. */
const EXCEPTIONS: Record<string, readonly string[]> = {
  // Types only: what the API answers is said once, by the schemas that the server documents.
  "client/shapes.ts": ["gateway"],
  // The commands that work on this machine itself, without a server.
  "cli/commands/up.ts": ["main"],
  "cli/commands/doctor.ts": ["sandbox", "main"],
  "cli/commands/restore.ts": ["state"],
  "cli/commands/admin.ts": ["identity", "state"],
};

const SOURCE = resolve(import.meta.dirname, "../../src");
const isTest = (file: string): boolean => file.endsWith(".test.ts") || file.includes("/testing/");
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .toSorted();
const roomOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] ?? "") : file.replace(/\.ts$/, ""));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  const found = [
    ...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g),
    ...text.matchAll(/new URL\(\s*"(\.{1,2}\/[^"]+\.[jt]s)"/g),
  ];
  return found.map((match) => relative(SOURCE, resolve(SOURCE, dirname(file), match[1] ?? "")));
}

describe("folder rules", () => {
  it("has a row for every room", () => {
    const rooms = new Set(files.map(roomOf));
    expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
  });

  it.each(files.filter((file) => !isTest(file)))("%s imports only what its room may", (file) => {
    const room = roomOf(file);
    const allowed = MAY_IMPORT[room] ?? [];
    const extra = EXCEPTIONS[file] ?? [];
    if (allowed === "*") return;
    const wrong = importsOf(file).filter((target) => {
      const other = roomOf(target);
      if (other === room || other === "core") return false;
      if (other === "lib") return room === "core";
      return !allowed.includes(other) && !extra.includes(other);
    });
    expect(wrong).toEqual([]);
  });

  it("lets only open.ts name a driver", () => {
    const wrong = files
      .filter((file) => !isTest(file))
      .flatMap((file) => {
        const room = roomOf(file);
        return importsOf(file)
          .filter((target) => /^[^/]+\/drivers\//.test(target))
          .filter(
            (target) =>
              !(
                file === `${roomOf(target)}/open.ts` ||
                (room === roomOf(target) && file.startsWith(`${room}/drivers/`))
              ),
          )
          .map((target) => `${file} → ${target}`);
      });
    expect(wrong).toEqual([]);
  });

  it("keeps pure rooms free of the outside world", () => {
    const outside = /"node:(fs|net|http|https|child_process|worker_threads|dgram|tls)(\/promises)?"/;
    const wrong = files
      .filter((file) => ["core", "fdl", "events", "s3", "scheduler"].includes(roomOf(file)) && !isTest(file))
      .filter((file) => outside.test(readFileSync(join(SOURCE, file), "utf8")));
    expect(wrong).toEqual([]);
  });

  it("keeps every file under 500 lines", () => {
    const long = files
      .map((file) => ({ file, lines: readFileSync(join(SOURCE, file), "utf8").split("\n").length }))
      .filter(({ lines }) => lines > 500);
    expect(long).toEqual([]);
  });

  it("takes node:http from lib/node-http.ts, as to import it costs every start 14 MB", () => {
    const valueImport = /^import (?!type\b)[^;]*from "node:http";/m;
    const wrong = files.filter((file) => !isTest(file) && valueImport.test(readFileSync(join(SOURCE, file), "utf8")));
    expect(wrong).toEqual([]);
  });

  it("calls fetch only where a client of our own API lives", () => {
    const wrong = files.filter(
      (file) =>
        !isTest(file) && roomOf(file) !== "client" && /\bfetch\(/.test(readFileSync(join(SOURCE, file), "utf8")),
    );
    expect(wrong).toEqual([]);
  });
});
