import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { clientFrame } from "../../support/client-frame.ts";
import { optionalProgram, runProgram, tryProgram } from "../../support/client-programs.ts";
import { ACCESS_KEY, SECRET_KEY } from "../../support/s3-process.ts";

/** Built from source only where somebody asked for it, which takes minutes. */
const program = optionalProgram("mc");
if (program === null) console.warn("mc is not built (bash scripts/setup.sh --peers builds it): its tests are skipped");

describe.skipIf(program === null)("MinIO's client", () => {
  const frame = clientFrame(({ s3 }) => mc("alias", "set", "s", s3.endpoint, ACCESS_KEY, SECRET_KEY));
  const { at, large: LARGE } = frame;

  const full = (args: string[]): string[] => ["--config-dir", at("mc"), "--quiet", "--no-color", ...args];
  const options = () => ({ env: { PATH: process.env.PATH, HOME: frame.home } });
  const mc = (...args: string[]): Promise<string> => runProgram(program ?? "", full(args), options());
  const listed = async (folder: string): Promise<string[]> =>
    (await mc("--json", "ls", "--recursive", folder))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { key: string }).key);

  it("makes, lists and removes buckets", async () => {
    await mc("mb", "s/made");
    expect(await mc("ls", "s")).toContain("made/");
    await mc("cp", at("small"), "s/made/x");
    expect(await tryProgram(program ?? "", full(["rb", "s/made"]), options())).toMatchObject({ code: 1 });
    await mc("rb", "--force", "s/made");
    expect(await mc("ls", "s")).not.toContain("made/");
  });

  it("copies, moves, reads and pipes files small and large", async () => {
    await mc("mb", "s/files");
    await mc("cp", "--attr", "colour=blue", at("small"), "s/files/a/small");
    await mc("cp", at("large"), "s/files/a/large");
    await mc("cp", "s/files/a/large", "s/files/b/large");
    await mc("mv", "s/files/a/small", "s/files/b/a b+ä");
    await runProgram(program ?? "", full(["pipe", "s/files/piped"]), { ...options(), input: LARGE });
    expect(await listed("s/files")).toEqual(["a/large", "b/a b+ä", "b/large", "piped"]);
    expect(await mc("cat", "s/files/b/a b+ä")).toBe("hello");
    expect(await mc("--json", "stat", "s/files/b/a b+ä")).toMatch(/colour":"blue"/i);
    for (const name of ["b/large", "piped"]) {
      await mc("get", `s/files/${name}`, at("back"));
      expect(readFileSync(at("back")).equals(LARGE), name).toBe(true);
    }
    expect(await mc("diff", "s/files/a", "s/files/b")).toContain("a b+ä");
  });

  it("mirrors a tree both ways, and removes what went away", async () => {
    const names = ["plain", "two words", "ä ö ü", "\u{1F600}", "a+b=c&d?#%", "sub/.dot", "sub/empty"];
    mkdirSync(at("tree", "sub"), { recursive: true });
    for (const name of names) writeFileSync(at("tree", name), name.endsWith("empty") ? "" : name);
    await mc("mb", "s/tree");
    await mc("mirror", at("tree"), "s/tree");
    expect((await listed("s/tree")).toSorted()).toEqual(names.toSorted());
    rmSync(at("tree", "two words"));
    await mc("mirror", "--remove", "--overwrite", at("tree"), "s/tree");
    await mc("mirror", "s/tree", at("again"));
    expect(readdirSync(at("again"), { recursive: true }).toSorted()).toEqual(
      readdirSync(at("tree"), { recursive: true }).toSorted(),
    );
    await mc("rm", "--recursive", "--force", "s/tree");
    expect(await listed("s/tree")).toEqual([]);
  });

  it("keeps versions, tags, rules and addresses to share", async () => {
    await mc("mb", "s/set-up");
    await mc("version", "enable", "s/set-up");
    for (const text of ["first", "second"]) {
      await runProgram(program ?? "", full(["pipe", "s/set-up/k"]), { ...options(), input: text });
    }
    await mc("rm", "s/set-up/k");
    const history = (await mc("--json", "ls", "--versions", "s/set-up")).trim().split("\n");
    expect(history.map((line) => (JSON.parse(line) as { isDeleteMarker?: boolean }).isDeleteMarker === true)).toEqual([
      true,
      false,
      false,
    ]);
    await mc("undo", "--force", "s/set-up/k");
    expect(await mc("cat", "s/set-up/k")).toBe("second");
    await mc("tag", "set", "s/set-up/k", "a=1&b=2");
    expect(await mc("tag", "list", "s/set-up/k")).toMatch(/a +: +1/);
    await mc("ilm", "rule", "add", "--prefix", "tmp/", "--expire-days", "3", "s/set-up");
    expect(await mc("ilm", "rule", "ls", "s/set-up")).toContain("tmp/");
    const shared = await mc("--json", "share", "download", "--expire", "1m", "s/set-up/k");
    expect(await (await fetch((JSON.parse(shared) as { share: string }).share)).text()).toBe("second");
    await mc("rb", "--force", "s/set-up");
  });
});
