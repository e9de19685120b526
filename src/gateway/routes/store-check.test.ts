import { afterEach, expect, it } from "vitest";
import { SluiceError } from "../../core/errors.ts";
import type { StoreFinding } from "../../objectstore/scrub/findings.ts";
import type { CheckOptions } from "../../objectstore/scrub/store-check.ts";
import type { GatewayDeps } from "../deps.ts";
import { createGateway } from "../gateway.ts";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";

let server: FakeServer;
afterEach(() => server.close());

const ORPHAN: StoreFinding = { kind: "orphan", blob: "b", bytes: 9, removed: false };
const URL_PATH = "/system/store/check";

function start(storeCheck?: GatewayDeps["storeCheck"]): void {
  server = fakeServer(storeCheck === undefined ? {} : { deps: { storeCheck } });
}

it("sends each finding as an event", async () => {
  start();
  server.findings.push(ORPHAN, { kind: "mended", blob: "a\nb", from: "c" });
  const response = await server.inject({ method: "POST", url: URL_PATH, headers: AS.admin });
  expect([response.statusCode, response.headers["content-type"]]).toEqual([200, "text/event-stream"]);
  expect(response.body).toBe(
    `event: orphan\ndata: ${JSON.stringify(ORPHAN)}\n\nevent: mended\ndata: {"kind":"mended","blob":"a\\nb","from":"c"}\n\n`,
  );
});

it("passes on what is asked for, and refuses what is no number or too slow", async () => {
  const asked: CheckOptions[] = [];
  start((options) => {
    asked.push(options);
    return (async function* () {})();
  });
  const ask = (query: string) => server.inject({ method: "POST", url: URL_PATH + query, headers: AS.admin });
  for (const query of ["", "?repair=true&rate=2097152"]) expect((await ask(query)).statusCode).toBe(200);
  expect(asked).toEqual([
    { repair: false, bytesPerSecond: 128 * 1024 ** 2 },
    { repair: true, bytesPerSecond: 2 * 1024 ** 2 },
  ]);
  for (const query of ["?rate=0", "?rate=x", "?repair=maybe", "?other=1"]) {
    expect((await ask(query)).json()).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
  }
});

it("says that another check runs", async () => {
  start(() => {
    throw new SluiceError("OVERLOADED", "Cannot check the store: another check is running");
  });
  const response = await server.inject({ method: "POST", url: URL_PATH, headers: AS.admin });
  expect([response.statusCode, response.json().code]).toEqual([429, "OVERLOADED"]);
});

it("ends the check when the client leaves", async () => {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  start(async function* (_options, signal) {
    signal.addEventListener("abort", () => resolve());
    yield ORPHAN;
    await new Promise((done) => signal.addEventListener("abort", done));
  });
  const gateway = createGateway(server.deps);
  const { url } = await gateway.listen("127.0.0.1", 0);
  const leave = new AbortController();
  const response = await fetch(url + URL_PATH, { method: "POST", headers: AS.admin, signal: leave.signal });
  expect((await response.body?.getReader().read())?.value).toBeDefined();
  leave.abort();
  await stopped;
  await gateway.close();
});
