import { describe, expect, it } from "vitest";
import { readXml } from "../../s3/xml-read.ts";
import { readLifecycle } from "./rules.ts";

const s3 = (code: string) => expect.objectContaining({ details: expect.objectContaining({ s3: code }) });
const read = (...rules: string[]) =>
  readLifecycle(
    readXml(`<LifecycleConfiguration>${rules.map((rule) => `<Rule>${rule}</Rule>`).join("")}</LifecycleConfiguration>`),
  );
const ON = "<Status>Enabled</Status>";
const DAYS = "<Expiration><Days>3</Days></Expiration>";
const noFilter = { prefix: "", tags: [], largerThan: null, smallerThan: null };

describe("readLifecycle", () => {
  it.each([
    ["<Filter/>", noFilter],
    ["<Prefix>old/</Prefix>", { ...noFilter, prefix: "old/" }],
    ["<Filter><Prefix>a/</Prefix></Filter>", { ...noFilter, prefix: "a/" }],
    ["<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", { ...noFilter, tags: [["k", "v"]] }],
    [
      "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></And></Filter>",
      { prefix: "a", tags: [["k", "v"]], largerThan: 0, smallerThan: null },
    ],
  ])("reads the filter %s", (filter, expected) => {
    expect(read(ON + filter + DAYS)).toEqual([
      { enabled: true, filter: expected, expiration: { days: 3 }, noncurrent: null, abortAfterDays: null },
    ]);
  });

  it.each([
    ["<Expiration><Date>2026-01-02T00:00:00Z</Date></Expiration>", { expiration: { at: Date.UTC(2026, 0, 2) } }],
    [
      "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
      { expiration: { deleteMarkers: true } },
    ],
    [
      "<NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
      { noncurrent: { days: 5, keep: 2 } },
    ],
    [
      "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
      { abortAfterDays: 7 },
    ],
  ])("reads %s", (what, expected) => {
    expect(read(ON + what)[0]).toMatchObject(expected);
  });

  it.each([
    ["no status", DAYS, "MalformedXML"],
    ["nothing to do", ON, "MalformedXML"],
    ["a transition", `${ON}${DAYS}<Transition><Days>1</Days></Transition>`, "NotImplemented"],
    [
      "two conditions without And",
      `${ON}<Filter><Prefix>a</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>${DAYS}`,
      "MalformedXML",
    ],
    ["no days", `${ON}<Expiration><Days>0</Days></Expiration>`, "InvalidArgument"],
    ["days that are none", `${ON}<Expiration><Days>1.5</Days></Expiration>`, "InvalidArgument"],
    [
      "days and a date",
      `${ON}<Expiration><Days>1</Days><Date>2026-01-02T00:00:00Z</Date></Expiration>`,
      "MalformedXML",
    ],
    ["a date that is none", `${ON}<Expiration><Date>soon</Date></Expiration>`, "MalformedXML"],
    [
      "a date in the middle of a day",
      `${ON}<Expiration><Date>2026-01-02T03:00:00Z</Date></Expiration>`,
      "InvalidArgument",
    ],
  ])("refuses %s", (_what, rule, code) => {
    expect(() => read(rule)).toThrow(s3(code));
  });

  it("refuses no rules, and an ID that is there twice", () => {
    expect(() => read()).toThrow(s3("MalformedXML"));
    expect(() => read(`<ID>a</ID>${ON}${DAYS}`, `<ID>a</ID>${ON}${DAYS}`)).toThrow(s3("InvalidArgument"));
  });
});
