import { describe, expect, it } from "vitest";
import { readXml } from "../../s3/xml-read.ts";
import { corsHeaders, findRule } from "./match.ts";
import { readCors } from "./rules.ts";

const s3 = (code: string) => expect.objectContaining({ details: expect.objectContaining({ s3: code }) });
const read = (...rules: string[]) =>
  readCors(
    readXml(`<CORSConfiguration>${rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join("")}</CORSConfiguration>`),
  );
const GET_ALL = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

describe("readCors", () => {
  it("reads a rule", () => {
    const rule = `${GET_ALL}<AllowedMethod>PUT</AllowedMethod><AllowedHeader>X-Amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds><ID>a</ID>`;
    expect(read(rule)).toEqual([
      {
        origins: ["*"],
        methods: ["GET", "PUT"],
        allowedHeaders: ["x-amz-*"],
        exposedHeaders: ["ETag"],
        maxAgeSeconds: 60,
      },
    ]);
  });

  it.each([
    ["no method", "<AllowedOrigin>*</AllowedOrigin>", "MalformedXML"],
    ["no origin", "<AllowedMethod>GET</AllowedMethod>", "MalformedXML"],
    ["a method that is none", "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod>", "InvalidRequest"],
    ["two stars", "<AllowedOrigin>http://*.x.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>", "InvalidRequest"],
    ["a line end in an exposed header", `${GET_ALL}<ExposeHeader>a&#xd;&#xa;b</ExposeHeader>`, "InvalidRequest"],
    ["an age that is none", `${GET_ALL}<MaxAgeSeconds>-1</MaxAgeSeconds>`, "MalformedXML"],
  ])("refuses %s", (_what, rule, code) => {
    expect(() => read(rule)).toThrow(s3(code));
  });

  it("refuses no rules and more than 100", () => {
    expect(() => read()).toThrow(s3("MalformedXML"));
    expect(() => read(...Array.from({ length: 101 }, () => GET_ALL))).toThrow(s3("MalformedXML"));
  });
});

describe("findRule", () => {
  const rules = read(
    "<AllowedOrigin>https://*.lab.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>content-type</AllowedHeader>",
    GET_ALL,
  );
  const find = (origin: string, method: string, headers: string[] = []) =>
    rules.indexOf(findRule(rules, { origin, method, headers }) as never);

  it.each([
    ["https://a.lab.example", "PUT", ["x-amz-date", "content-type"], 0],
    ["https://a.lab.example", "PUT", ["x-other"], -1],
    ["https://lab.example", "PUT", [], -1],
    ["http://a.lab.example", "PUT", [], -1],
    ["https://a.lab.example.evil", "PUT", [], -1],
    ["https://anybody", "GET", [], 1],
    ["https://anybody", "GET", ["authorization"], -1],
    ["https://anybody", "DELETE", [], -1],
  ])("for %s %s with %j is rule %d", (origin, method, headers, index) => {
    expect(find(origin, method, headers)).toBe(index);
  });
});

it("names the origin only where the rule is not for everybody", () => {
  const [some, all] = read("<AllowedOrigin>https://a</AllowedOrigin><AllowedMethod>GET</AllowedMethod>", GET_ALL);
  const wanted = { origin: "https://a", method: "GET", headers: ["x-a"] };
  expect(new Map(some === undefined ? [] : corsHeaders(some, wanted)).get("Access-Control-Allow-Origin")).toBe(
    "https://a",
  );
  const open = new Map(all === undefined ? [] : corsHeaders(all, wanted));
  expect(open.get("Access-Control-Allow-Origin")).toBe("*");
  expect(open.has("Access-Control-Allow-Credentials")).toBe(false);
  expect(open.get("Access-Control-Allow-Headers")).toBe("x-a");
});
