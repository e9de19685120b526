import { describe, expect, it } from "vitest";
import { defineCommand, expectArguments } from "./arguments.ts";
import { fakeIo } from "./testing/fake-io.ts";

const seen: unknown[] = [];
const command = defineCommand({
  name: "try",
  summary: "",
  usage: ["try"],
  options: {
    output: { type: "string", short: "o", help: "" },
    since: { type: "string", help: "" },
    force: { type: "boolean", short: "f", help: "" },
    state: { type: "string", multiple: true, help: "" },
  },
  examples: [],
  async run({ flags, positionals }) {
    seen.push({ ...flags }, positionals);
    return 0;
  },
});

async function parsed(...argv: string[]) {
  seen.length = 0;
  await command.execute(argv, fakeIo());
  return seen;
}

describe("arguments of a command", () => {
  it("come in any order, and `--` ends the flags", async () => {
    expect(await parsed("a", "-o", "json", "b", "--force", "--", "--since")).toEqual([
      { output: "json", force: true },
      ["a", "b", "--since"],
    ]);
    expect(await parsed("-fojson", "--state=A", "--state", "B")).toEqual([
      { output: "json", force: true, state: ["A", "B"] },
      [],
    ]);
  });

  it.each([
    [["--ouput", "json"], 'there is no flag "--ouput" (did you mean "--output"?'],
    [["-x"], 'there is no flag "-x"'],
    [["--output"], 'the flag "--output" needs a value'],
    [["-o", "--force"], 'the flag "-o" needs a value'],
    [["--force=yes"], 'the flag "--force" takes no value'],
  ])("%j is refused", async (argv, sentence) => {
    await expect(command.execute(argv, fakeIo())).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining(sentence),
    });
  });

  it("are counted", () => {
    expect(expectArguments("get FROM TO", ["a", "b"], 2, 2)).toEqual(["a", "b"]);
    expect(() => expectArguments("get FROM TO", ["a"], 2, 2)).toThrow(
      "an argument is missing (usage: sluice get FROM TO)",
    );
    expect(() => expectArguments("get FROM TO", ["a", "b", "c d"], 2, 2)).toThrow('"c d" is too much');
  });
});
