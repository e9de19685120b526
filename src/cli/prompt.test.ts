import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ask, askSecret, readSecret } from "./prompt.ts";
import { fakeIo } from "./testing/fake-io.ts";

/** A person at a terminal who types this. */
function person(typed: string) {
  const keys = new PassThrough();
  const io = { ...fakeIo(), stdin: Object.assign(keys, { isTTY: true }) };
  setImmediate(() => keys.write(typed));
  return { io, keys };
}

describe("questions", () => {
  it("take a secret without showing it", async () => {
    const { io } = person("s3cret\r");
    expect(await askSecret(io, "Password of ada")).toBe("s3cret");
    expect(io.written()).toEqual({ out: "", err: "Password of ada: \n" });
  });

  it("take an answer, or what is meant by none", async () => {
    expect(await ask(person("ada\n").io, "User", "admin")).toBe("ada");
    expect(await ask(person("\n").io, "User", "admin")).toBe("admin");
  });

  it("end when they are not answered", async () => {
    await expect(askSecret(person("half\x03").io, "Password")).rejects.toThrow("not answered");
    const { io, keys } = person("half");
    setImmediate(() => keys.end());
    await expect(askSecret(io, "Password")).rejects.toThrow("not answered");
  });

  it("need a terminal", async () => {
    await expect(askSecret(fakeIo({ input: "x" }), "Password")).rejects.toThrow("use --password-stdin");
    await expect(ask(fakeIo({ input: "x" }), "User", "admin")).rejects.toThrow("no terminal");
  });
});

it("a piped secret is all of stdin but the end of its line", async () => {
  expect(await readSecret(fakeIo({ input: "two words \r\n" }))).toBe("two words ");
  expect(await readSecret(fakeIo({ input: "bare" }))).toBe("bare");
  await expect(readSecret(fakeIo({ input: "\n" }))).rejects.toThrow("it is empty");
});
