import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { s3Error } from "../s3/errors.ts";
import { answerWhenDone } from "./slow-answer.ts";

let server: Server;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** What a client reads. */
async function answerOf(
  work: () => Promise<string>,
  silenceMs: number,
): Promise<{ status: number; text: string; failed: unknown }> {
  let failed: unknown = null;
  server = createServer((_request, response) => {
    answerWhenDone(response, work(), ["x-a", "b"], silenceMs).catch((error: unknown) => {
      failed = error;
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { status: response.status, text: await response.text(), failed };
}

const DOCUMENT = '<?xml version="1.0" encoding="UTF-8"?>\n<Done/>';
const later = <T>(ms: number, value: () => T): Promise<T> =>
  new Promise((resolve, reject) =>
    setTimeout(() => {
      try {
        resolve(value());
      } catch (error) {
        reject(error);
      }
    }, ms),
  );

it("answers at once when the work is quick", async () => {
  expect(await answerOf(async () => DOCUMENT, 1000)).toEqual({ status: 200, text: DOCUMENT, failed: null });
});

it("leaves a quick failure to the caller", async () => {
  const { failed } = await answerOf(
    () =>
      later(1, () => {
        throw s3Error("InvalidPart", "no");
      }),
    1000,
  );
  expect(failed).toMatchObject({ code: "PART_INVALID" });
});

it("sends spaces while it lasts, in what is still one document", async () => {
  const { text } = await answerOf(() => later(100, () => DOCUMENT), 10);
  expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n {2,}<Done\/>$/);
});

it("says a late failure inside the answer", async () => {
  const { status, text } = await answerOf(
    () =>
      later(50, () => {
        throw s3Error("InvalidPart", "Cannot");
      }),
    10,
  );
  expect(status).toBe(200);
  expect(text).toMatch(/^<\?xml [^>]*\?>\n *<Error><Code>InvalidPart<\/Code><Message>Cannot<\/Message>/);
});
