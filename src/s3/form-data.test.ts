import { describe, expect, it } from "vitest";
import { toS3Failure } from "./errors.ts";
import { formBoundary, readForm } from "./form-data.ts";

const B = "----b1";

const part = (disposition: string, value: string): string =>
  `--${B}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
const field = (name: string, value: string): string => part(`name="${name}"`, value);
const file = (content: string, name = "f.txt"): string =>
  `--${B}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n`;
const END = `--${B}--\r\n`;

/** The body in pieces of that size; says whether its reader let go of it. */
function source(body: string | Buffer, size = 7) {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const state = { closed: false, given: 0 };
  async function* pieces() {
    try {
      for (let at = 0; at < bytes.length; at += size) {
        state.given += 1;
        yield bytes.subarray(at, at + size);
      }
    } finally {
      state.closed = true;
    }
  }
  return { pieces: pieces(), state };
}

async function read(body: string | Buffer, size?: number) {
  const form = await readForm(source(body, size).pieces, B);
  const pieces: Buffer[] = [];
  for await (const piece of form.file) pieces.push(Buffer.from(piece));
  return { fields: Object.fromEntries(form.fields), fileName: form.fileName, file: Buffer.concat(pieces) };
}

async function codeOf(body: string | Buffer): Promise<string> {
  try {
    await read(body);
  } catch (error) {
    return toS3Failure(error).code;
  }
  return "none";
}

describe("a form", () => {
  it.each([1, 2, 3, 7, 64, 10_000])("is read whatever its pieces (%d bytes)", async (size) => {
    const content = `a\r\n--${B.slice(0, -1)}\r\n\r\n-\r\r\n--`;
    const got = await read(
      field("Key", "k") + field("x-amz-meta-a", "ä") + file(content) + field("late", "1") + END,
      size,
    );
    expect(got.fields).toEqual({ key: "k", "x-amz-meta-a": "ä" });
    expect(got.fileName).toBe("f.txt");
    expect(got.file.toString()).toBe(content);
  });

  it("may have text in front, spaces behind a boundary, no line break at its end, an empty file, an empty field", async () => {
    const body = `hello\r\n${field("a", "").replace(B, `${B} \t`)}${file("")}--${B}--`;
    expect(await read(body)).toEqual({ fields: { a: "" }, fileName: "f.txt", file: Buffer.alloc(0) });
  });

  it("is read without holding its file", async () => {
    const body = field("key", "k") + file("x".repeat(100_000)) + END;
    const { pieces, state } = source(body, 1000);
    const form = await readForm(pieces, B);
    expect(state.given).toBe(1);
    await form.file[Symbol.asyncIterator]().next();
    expect(state.given).toBeLessThan(3);
    await form.close();
    expect(state.closed).toBe(true);
  });

  it.each([
    ['name="file"; filename="C:\\dir\\a.txt"', "a.txt"],
    ['name="file"; filename="/dir/a.txt"', "a.txt"],
    ['filename="; name=key"; name="file"', "; name=key"],
    ['name="file"; filename="a%22b%0D%0A%41.txt"', 'a"b\r\n%41.txt'],
    ['name="file"; filename="a\\"b.txt"', 'a"b.txt'],
    ["name=file; filename=a.txt", "a.txt"],
    ['name="file"; filename="x"; filename*=UTF-8\'\'%c3%a4.txt', "ä.txt"],
    ['name="file"; filename="ä.txt"', "ä.txt"],
    ['name="file"', ""],
  ])("names its file: %s", async (disposition, name) => {
    expect((await read(part(disposition, "x") + END)).fileName).toBe(name);
  });

  it.each([
    ["no file", field("key", "k") + END, "IncorrectNumberOfFilesInPostRequest"],
    ["nothing", "", "MalformedPOSTRequest"],
    ["no end", field("key", "k") + file("x"), "MalformedPOSTRequest"],
    ["an end inside the file", `${field("key", "k")}${file("x").slice(0, -2)}`, "MalformedPOSTRequest"],
    ["a field twice", field("key", "k") + field("KEY", "l") + file("x") + END, "MalformedPOSTRequest"],
    ["a part without a name", part('filename="x"', "v") + END, "MalformedPOSTRequest"],
    ["a part without a disposition", `--${B}\r\n\r\nv\r\n${END}`, "MalformedPOSTRequest"],
    ["something behind a boundary", field("a", "b").replace(B, `${B}x`) + file("x") + END, "MalformedPOSTRequest"],
    ["a long head", `--${B}\r\nx: ${"y".repeat(5000)}\r\n\r\n${END}`, "MalformedPOSTRequest"],
    ["a name that is no UTF-8", Buffer.from(file("x", "\xff") + END, "latin1"), "MalformedPOSTRequest"],
    ["a value that is no UTF-8", Buffer.from(field("a", "\xff") + file("x") + END, "latin1"), "MalformedPOSTRequest"],
    ["a bad escape", part("name=\"file\"; filename*=utf-8''%zz", "x") + END, "MalformedPOSTRequest"],
    ["long fields", field("a", "x".repeat(21_000)) + file("x") + END, "MaxPostPreDataLengthExceededError"],
    [
      "many fields",
      Array.from({ length: 400 }, (_, n) => field(`f${n}`, "")).join(""),
      "MaxPostPreDataLengthExceededError",
    ],
    ["a long start", `${"x".repeat(30_000)}\r\n${file("x")}${END}`, "MaxPostPreDataLengthExceededError"],
    ["much behind the file", file("x") + END + "y".repeat(21_000), "MaxPostPreDataLengthExceededError"],
    [
      "a long field behind the file",
      file("x") + field("a", "y".repeat(21_000)) + END,
      "MaxPostPreDataLengthExceededError",
    ],
  ])("is refused with %s", async (_what, body, code) => {
    expect(await codeOf(body)).toBe(code);
  });

  it("that is refused lets go of its source", async () => {
    const { pieces, state } = source(field("a", "x".repeat(21_000)) + file("x") + END);
    await expect(readForm(pieces, B)).rejects.toThrow();
    expect(state.closed).toBe(true);
    expect(state.given * 7).toBeLessThan(21_000);
  });
});

describe("the boundary", () => {
  it.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['Multipart/Form-Data; charset=utf-8; boundary="a b;c"; x=y', "a b;c"],
    ["multipart/form-data;boundary=abc;charset=utf-8", "abc"],
    ["multipart/form-data", null],
    ["multipart/form-data; boundary=", null],
    [`multipart/form-data; boundary=${"x".repeat(71)}`, null],
    ["multipart/mixed; boundary=abc", null],
    ["application/x-www-form-urlencoded", null],
    [undefined, null],
  ])("of %j is %j", (type, boundary) => {
    expect(formBoundary(type)).toBe(boundary);
  });
});
