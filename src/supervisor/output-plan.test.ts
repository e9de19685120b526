import { describe, expect, it } from "vitest";
import type { OutputFile } from "./output-listing.ts";
import { planOutputs } from "./output-plan.ts";
import { entry } from "./testing/attempt-bench.ts";

const NAMING = { jobId: "thumbs-1", inputName: "in/cat.tar.gz", time: Date.UTC(2026, 4, 6, 23) };
const file = (name: string, over: Partial<OutputFile> = {}): OutputFile => ({
  name,
  isUtf8: true,
  sizeBytes: 1,
  isLinked: false,
  ...over,
});
const keys = (files: OutputFile[], entries: Parameters<typeof planOutputs>[1]): string[][] =>
  planOutputs(files, entries, NAMING).outputs.map(({ targets }) =>
    targets.map(({ bucket, key }) => `${bucket}/${key}`),
  );
const failure = (reason: string, message: RegExp) =>
  expect.objectContaining({ code: "OUTPUT_INVALID", details: { reason }, message: expect.stringMatching(message) });

describe("planOutputs", () => {
  it("gives each entry whose filters match the relative name its own object", () => {
    const entries = [
      entry("thumbs", { suffixes: [".jpg", ".png"] }),
      entry("all/{job}/{stem}/{input}/{date}/{x}"),
      entry("", { bucket: "log", prefixes: ["logs/"] }),
    ];
    expect(keys([file("a.jpg"), file("logs/run.txt")], entries)).toEqual([
      ["results/thumbs/a.jpg", "results/all/thumbs-1/cat.tar/cat.tar.gz/2026-05-06/{x}/a.jpg"],
      ["results/all/thumbs-1/cat.tar/cat.tar.gz/2026-05-06/{x}/logs/run.txt", "log/logs/run.txt"],
    ]);
  });

  it("drops what no entry wants", () => {
    const plan = planOutputs([file("a.tmp"), file("b.jpg")], [entry("o", { suffixes: [".jpg"] })], NAMING);
    expect(plan.unwanted.map(({ name }) => name)).toEqual(["a.tmp"]);
    expect(plan.outputs).toHaveLength(1);
  });

  it("guesses the content type", () => {
    const [planned] = planOutputs([file("x/a.json")], [entry("o")], NAMING).outputs;
    expect(planned?.targets[0]?.contentType).toBe("application/json");
  });

  it("makes one object of a file that two equal entries want", () => {
    expect(keys([file("a")], [entry("o"), entry("o")])).toEqual([["results/o/a"]]);
  });

  it("refuses two files that would be one object", () => {
    const entries = [entry("o", { prefixes: ["p/"] }), entry("o/p", { prefixes: ["a"] })];
    expect(() => planOutputs([file("p/a"), file("a")], entries, NAMING)).toThrow(
      failure("output_invalid", /"p\/a" and "a", that become the one object "results\/o\/p\/a"/),
    );
  });

  it.each([
    ["a name that is not UTF-8", file("bad\uFFFD.jpg", { isUtf8: false }), /not UTF-8 \("bad\uFFFD.jpg"\)/],
    ["a key over 1,024 bytes", file(`${"d/".repeat(400)}${"é".repeat(120)}`), /would have 1042 bytes/],
  ])("refuses %s", (_, wrong, message) => {
    expect(() => planOutputs([file("ok"), wrong], [entry("o")], NAMING)).toThrow(failure("output_name", message));
  });

  it("does not mind wrong names that no entry wants", () => {
    const plan = planOutputs([file("bad\uFFFD.tmp", { isUtf8: false })], [entry("o", { suffixes: [".jpg"] })], NAMING);
    expect(plan.unwanted).toHaveLength(1);
  });

  it("takes a key of exactly 1,024 bytes", () => {
    expect(keys([file("x".repeat(1022))], [entry("o")])[0]?.[0]).toHaveLength("results/".length + 1024);
  });

  it("refuses more than 100,000 objects", () => {
    const many = Array.from({ length: 50_001 }, (_, n) => file(`f${n}`));
    expect(() => planOutputs(many, [entry("a"), entry("b")], NAMING)).toThrow(
      failure("output_invalid", /more than 100000 objects/),
    );
  });

  it("fails for a provider outside unless the entry is optional, which is then said once", () => {
    const outside = entry("o", { provider: "s3.aws" });
    expect(() => planOutputs([file("a")], [outside], NAMING)).toThrow(failure("output_invalid", /s3\.aws/));
    const plan = planOutputs([file("a"), file("b")], [{ ...outside, optional: true }, entry("o")], NAMING);
    expect(plan.skipped).toHaveLength(1);
    expect(plan.outputs.map(({ optional }) => optional)).toEqual([false, false]);
  });
});
