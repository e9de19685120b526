import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type AppliedLayer, applyLayer, type LayerLimits } from "../apply-layer.ts";
import { endOfTar, inPieces } from "./make-tar.ts";
import { mergeLayers } from "./merge-layers.ts";

const LIMITS = { maxBytes: 10_000_000, maxMembers: 5000 };

/** Layers one over another, and what must not change whatever is in them. */
export class LayerStack {
  readonly base = mkdtempSync(join(tmpdir(), "sluice-layer-"));
  /** What the layers come to. */
  readonly root = join(this.base, "root");
  /** Lowest first. */
  readonly layers: string[] = [];
  readonly #umask = process.umask(0);

  constructor() {
    mkdirSync(join(this.base, "outside"));
    writeFileSync(join(this.base, "outside", "victim"), "safe", { mode: 0o600 });
  }

  /** One layer more, of these members. */
  apply(...members: Buffer[]): Promise<AppliedLayer> {
    return this.applyArchive(Buffer.concat([...members, endOfTar]));
  }

  /** Fails when a layer below was touched. */
  async applyArchive(archive: Buffer, limits: LayerLimits = LIMITS): Promise<AppliedLayer> {
    const own = join(this.base, `layer-${this.layers.length}`);
    const meta = join(this.base, `meta-${this.layers.length}`);
    mkdirSync(own);
    mkdirSync(meta);
    const parents = [...this.layers];
    this.layers.push(own);
    const before = parents.map(listing);
    try {
      return await applyLayer({ own, meta, parents }, inPieces(archive, 10_007), limits);
    } finally {
      expect(parents.map(listing)).toEqual(before);
      rmSync(this.root, { recursive: true, force: true });
      mergeLayers(this.layers, this.root);
    }
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  mode(path: string): number {
    return statSync(join(this.root, path)).mode & 0o7777;
  }

  /** Every path, folders with a slash. */
  tree(): string[] {
    return pathsIn(this.root);
  }

  /** Every path that the top layer has itself: whiteouts with an exclamation mark. */
  ownTree(): string[] {
    return pathsIn(this.layers.at(-1) ?? "");
  }

  outsideIsSafe(): void {
    const known = (name: string): boolean => /^(layer|meta)-\d+$/.test(name);
    expect(readdirSync(this.base).filter((name) => !known(name))).toEqual(["outside", "root"]);
    expect(readdirSync(join(this.base, "outside"))).toEqual(["victim"]);
    const victim = join(this.base, "outside", "victim");
    const { mode, nlink } = lstatSync(victim);
    expect([readFileSync(victim, "utf8"), mode & 0o777, nlink]).toEqual(["safe", 0o600, 1]);
  }

  clear(): void {
    for (const layer of this.layers.splice(0)) {
      rmSync(layer, { recursive: true });
      rmSync(layer.replace("/layer-", "/meta-"), { recursive: true });
    }
  }

  remove(): void {
    process.umask(this.#umask);
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** All that a folder says of itself. */
const listing = (folder: string): string =>
  execFileSync("find", [folder, "-printf", "%P %y %m %T@ %s %l\\n"], { encoding: "latin1" });

function pathsIn(folder: string): string[] {
  const found = execFileSync("find", [folder, "-mindepth", "1", "-printf", "%P %y\\n"], { encoding: "latin1" });
  const lines = found.split("\n").filter((line) => line !== "");
  return lines
    .map((line) =>
      line
        .replace(/ d$/, "/")
        .replace(/ c$/, "!")
        .replace(/ [^ ]$/, ""),
    )
    .toSorted();
}
