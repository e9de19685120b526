import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLog } from "../lib/log.ts";
import { s3Error } from "../s3/errors.ts";
import { answerWhenDone } from "./slow-answer.ts";

let server: Server;
let logged: string[];
beforeEach(() => {
  logged = [];
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** What a client reads. */
async function answerOf(
  work: () => Promise<string>,
  silenceMs: number,
): Promise<{ status: number; text: string; failed: unknown }> {
  let failed: unknown = null;
  server = createServer((message, response) => {
    const log = createLog("info", (line) => logged.push(line));
    answerWhenDone({ request: { message }, response, deps: { log } }, work(), ["x-a", "b"], silenceMs).catch(
      (error: unknown) => {
        failed = error;
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { status: response.status, text: await response.text(), failed };
}

const DOCUMENT = '<?xml version="1.0" encoding="UTF-8"?>\n<Done/>';
const SILENCE_MS = 10;

/** After so many silences: counted as the answer counts them, because a machine that stalls lets some of both go by. */
async function after<T>(silences: number, value: () => T): Promise<T> {
  let left = silences;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      resolve();
    }, SILENCE_MS);
  });
  return value();
}

it("answers at once when the work is quick", async () => {
  expect(await answerOf(async () => DOCUMENT, 1000)).toEqual({ status: 200, text: DOCUMENT, failed: null });
});

it("leaves a quick failure to the caller", async () => {
  const { failed } = await answerOf(
    () =>
      after(1, () => {
        throw s3Error("InvalidPart", "no");
      }),
    1000,
  );
  expect(failed).toMatchObject({ code: "PART_INVALID" });
});

it("sends spaces while it lasts, in what is still one document", async () => {
  const { text } = await answerOf(() => after(6, () => DOCUMENT), SILENCE_MS);
  expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n {2,}<Done\/>$/);
});

it("says a late failure inside the answer", async () => {
  const { status, text } = await answerOf(
    () =>
      after(6, () => {
        throw s3Error("InvalidPart", "Cannot");
      }),
    SILENCE_MS,
  );
  expect(status).toBe(200);
  expect(text).toMatch(/^<\?xml [^>]*\?>\n *<Error><Code>InvalidPart<\/Code><Message>Cannot<\/Message>/);
});

it("logs a late failure that is the server's own", async () => {
  const { text } = await answerOf(
    () =>
      after(6, () => {
        throw new Error("a detail of ours");
      }),
    SILENCE_MS,
  );
  expect(text).toContain("<Code>InternalError</Code>");
  expect(text).not.toContain("a detail of ours");
  expect(logged.join()).toContain("a detail of ours");
});
