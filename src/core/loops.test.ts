import { expect, it } from "vitest";
import { EMBEDDED_PROVIDER } from "./filters.ts";
import { findLoops } from "./loops.ts";

const at = (path: string, ...suffixes: string[]) => {
  const [bucket = "", ...rest] = path.split("/");
  return { provider: EMBEDDED_PROVIDER, bucket, folder: rest.join("/"), prefixes: [], suffixes, optional: false };
};
const service = (name: string, input: ReturnType<typeof at>, ...outputs: ReturnType<typeof at>[]) => ({
  name,
  inputs: [input],
  outputs,
});

it.each([
  ["the same folder", at("b/in"), at("b/in"), true],
  ["an output below its input", at("b/in"), at("b/in/done"), true],
  ["an input below its output, as scripts may make folders", at("b/out/in"), at("b/out"), true],
  ["a whole bucket", at("b"), at("b/out"), true],
  ["folders beside each other", at("b/in"), at("b/out"), false],
  ["folders with one start", at("b/in"), at("b/inside"), false],
  ["another bucket", at("a/in"), at("b/in"), false],
  ["suffixes apart", at("b/in", ".jpg"), at("b/in", ".png"), false],
  ["a suffix that ends the other", at("b/in", ".gz"), at("b/in", ".tar.gz"), true],
  ["a placeholder that can become anything", at("b/in"), at("b/{input}"), true],
  ["a placeholder behind another folder", at("b/in"), at("b/out/{job}"), false],
  ["a placeholder below the input", at("b/in"), at("b/in/{job}"), true],
])("%s", (_, input, output, loops) => {
  expect(findLoops([service("s", input, output)])).toEqual(loops ? [["s"]] : []);
});

it("finds a cycle over three services, and none in a chain", () => {
  const chain = [service("a", at("x/1"), at("x/2")), service("b", at("x/2"), at("x/3"))];
  expect(findLoops(chain)).toEqual([]);
  expect(findLoops([...chain, service("c", at("x/3"), at("x/1"))])).toEqual([["a", "b", "c"]]);
});

it("names every service that lies on a loop, also where two loops share one", () => {
  const services = [
    service("a", at("x/1"), at("x/2"), at("x/3")),
    service("b", at("x/2"), at("x/1")),
    service("c", at("x/3"), at("x/1")),
    service("outside", at("x/4"), at("x/1")),
  ];
  expect(findLoops(services)).toEqual([
    ["a", "b"],
    ["c", "a"],
  ]);
  expect(findLoops(services, ["c"])).toEqual([["c", "a"]]);
  expect(findLoops(services, ["outside"])).toEqual([]);
});

it("looks through thousands of services of one bucket", () => {
  const many = Array.from({ length: 3000 }, (_, n) => service(`s${n}`, at(`x/${n}`), at(`x/${n + 1}`)));
  expect(findLoops(many, ["s0", "s1"])).toEqual([]);
  expect(findLoops([...many, service("last", at("x/3000"), at("x/2999"))], ["last"])).toEqual([["last", "s2999"]]);
});
