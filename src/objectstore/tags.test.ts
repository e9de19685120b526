import { describe, expect, it } from "vitest";
import { readXml } from "../s3/xml-read.ts";
import { readTagHeader, readTags, tagDocument } from "./tags.ts";

const s3 = (code: string) => expect.objectContaining({ details: expect.objectContaining({ s3: code }) });
const readTagDocument = (text: string, most: number) => readTags(readXml(text), most);
const documentOf = (tags: string): string => `<Tagging><TagSet>${tags}</TagSet></Tagging>`;
const tag = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;

describe("the header", () => {
  it("is a list of encoded pairs", () => {
    expect({ ...readTagHeader("a=1&b%20c=%C3%A9&d=") }).toEqual({ a: "1", "b c": "é", d: "" });
    expect(readTagHeader(undefined)).toEqual({});
  });

  it.each([
    ["a=1&a=2"],
    ["=1"],
    [`${"k".repeat(129)}=1`],
    [`k=${"v".repeat(257)}`],
    [Array.from({ length: 11 }, (_, n) => `k${n}=v`).join("&")],
  ])("refuses %s", (text) => {
    expect(() => readTagHeader(text)).toThrow(s3("InvalidTag"));
  });
});

describe("the document", () => {
  it("gives back what was written", () => {
    const tags = { plain: "1", "<odd> & ä": '"', empty: "", ["__proto__"]: "x" };
    const written = Object.assign(Object.create(null), tags);
    Object.defineProperty(written, "__proto__", { value: "x", enumerable: true });
    expect(JSON.stringify(readTagDocument(tagDocument(written), 10))).toBe(JSON.stringify(written));
  });

  it.each([
    ["<Tagging/>", "MalformedXML"],
    [documentOf("<Tag><Key>a</Key></Tag>"), "MalformedXML"],
    [documentOf(tag("a", "1") + tag("a", "2")), "InvalidTag"],
    [documentOf(tag("a", "1") + tag("b", "2") + tag("c", "3")), "InvalidTag"],
  ])("refuses %s with %s", (text, code) => {
    expect(() => readTagDocument(text, 2)).toThrow(s3(code));
  });
});
