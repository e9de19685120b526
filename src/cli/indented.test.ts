import { expect, it } from "vitest";
import { indented } from "./indented.ts";
import { fakeIo } from "./testing/fake-io.ts";

it("shifts every line once, however the text is cut", async () => {
  const io = fakeIo();
  const out = indented(io.stdout, "  ");
  for (const part of ["one\ntw", "o\n", "\nthree\n"]) out.write(part);
  await new Promise<void>((resolve) => out.end(resolve));
  expect(io.written().out).toBe("  one\n  two\n\n  three\n");
});
