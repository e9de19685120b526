import { describe, expect, it } from "vitest";
import { toS3Failure } from "./errors.ts";
import { childrenNamed, childText } from "./xml-element.ts";
import { readXml } from "./xml-read.ts";
import { element, errorDocument, escapeXml, xmlDocument } from "./xml-write.ts";

function s3CodeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("writing", () => {
  it("escapes what would be markup or is no character of XML", () => {
    expect(escapeXml(`<a href="x">&'\r\n\t\u0001\uffff`)).toBe(
      "&lt;a href=&quot;x&quot;&gt;&amp;&apos;&#xd;&#xa;&#x9;&#x1;&#xffff;",
    );
    expect(escapeXml("é\u{1F600}")).toBe("é\u{1F600}");
  });

  it("writes elements, documents and errors", () => {
    expect(element("A", "")).toBe("<A/>");
    expect(element("A", [element("B", 1), element("C", false)])).toBe("<A><B>1</B><C>false</C></A>");
    expect(xmlDocument("R", [])).toContain('<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></R>');
    expect(errorDocument({ Code: "X", Message: "a < b" })).toContain(
      "<Error><Code>X</Code><Message>a &lt; b</Message></Error>",
    );
  });

  it.each(["<&>\"'", "a\r\nb\tc", " spaces ", "\u{1F600}", "]]>", "&amp;"])("%j comes back as it was", (text) => {
    expect(readXml(xmlDocument("R", [element("K", text)])).children[0]?.text).toBe(text);
  });
});

describe("reading", () => {
  it("gives children in order, whatever their name space", () => {
    const root = readXml('<?xml version="1.0"?><s3:L xmlns:s3="urn:x"><K>1</K><N><K>2</K></N><K>01</K></s3:L>');
    expect(root.name).toBe("L");
    expect(childText(root, "K")).toBe("1");
    expect(childrenNamed(root, "K").map((child) => child.text)).toEqual(["1", "01"]);
    expect(childText(root, "none")).toBeUndefined();
  });

  it.each([
    ["nothing", ""],
    ["text", "hello"],
    ["an unclosed element", "<A><B></A>"],
    ["two roots", "<A/><B/>"],
    ["a document type", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ["an unknown entity", "<a>&b;</a>"],
    ["a number that is no character", "<a>&#x110000;</a>"],
    ["half of a character", "<a>&#xd800;</a>"],
    ["a zero character", "<a>&#0;</a>"],
    ["a bare ampersand", "<a>b & c</a>"],
    ["CDATA", "<a><![CDATA[b]]></a>"],
    ["text behind the root", "<a/>b"],
    ["an end of nothing", "</a>"],
    ["an end that is empty too", "<a></a/>"],
    ["a comment without an end", "<a><!-- b</a>"],
    ["an instruction without an end", "<?xml <a/>"],
    ["an attribute without quotes", "<a b=c/>"],
    ["a tag without a name", "<a>< b/></a>"],
    ["33 levels", `${"<a>".repeat(33)}${"</a>".repeat(33)}`],
    ["100,001 elements", `<a>${"<b/>".repeat(100_000)}</a>`],
    ["33 attributes", `<a${Array.from({ length: 33 }, (_, n) => ` a${n}="b"`).join("")}/>`],
  ])("refuses %s", (_, text) => {
    expect(s3CodeOf(() => readXml(text))).toBe("MalformedXML");
  });

  it("reads over attributes, comments, instructions and a byte order mark", () => {
    const root = readXml(
      `\ufeff<?xml version='1.0'?>\n<!-- > --><a x="1>" y = '2"' ><!-- <b> -->t<?p q?><b/> u </a >\n<!-- end -->`,
    );
    expect(root).toEqual({ name: "a", text: "t u ", children: [{ name: "b", text: "", children: [] }] });
  });

  it("takes 32 levels and 100,000 elements", () => {
    expect(readXml(`${"<a>".repeat(32)}${"</a>".repeat(32)}`).name).toBe("a");
    expect(readXml(`<a>${"<b/>".repeat(99_999)}</a>`).children).toHaveLength(99_999);
  });

  it("refuses what is too long before it is parsed", () => {
    expect(s3CodeOf(() => readXml(`<a>${"x".repeat(100)}</a>`, 50))).toBe("EntityTooLarge");
  });
});
