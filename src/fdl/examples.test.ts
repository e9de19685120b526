import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parseFdl } from "./parse-fdl.ts";
import { SMALL_SERVER } from "./testing/fixture-files.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const files = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".yaml"));

function parse(file: string) {
  const folder = dirname(join(EXAMPLES, file));
  return parseFdl(readFileSync(join(EXAMPLES, file)), {
    fileName: file,
    readFile: (path) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : null),
    server: SMALL_SERVER,
  });
}

test("the examples are there", () => {
  expect(files.toSorted()).toEqual(["hello/hello.yaml", "pictures/pictures.yaml", "video/video.yaml"]);
});

test.each(files)("%s runs on a small machine without a warning", (file) => {
  const { services, problems } = parse(file);
  expect(problems).toEqual([]);
  for (const { warnings, spec } of services) {
    expect(warnings).toEqual([]);
    expect(spec.script).toMatch(/^#!\/bin\/sh\n/);
    expect(spec.network).toBe("none");
  }
});

test.each(["pictures/pictures.yaml", "video/video.yaml"])(
  "in %s the second service waits for what the first writes",
  (file) => {
    const [first, second] = parse(file).services.map(({ spec }) => spec);
    expect(first?.outputs.map(({ bucket, folder }) => [bucket, folder])).toEqual(
      second?.inputs.map(({ bucket, folder }) => [bucket, folder]),
    );
  },
);
