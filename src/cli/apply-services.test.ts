import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { createClient } from "../client/client.ts";
import { applyServices } from "./apply-services.ts";

/** A server that knows OSCAR's calls only. */
async function oscar(services: string[]) {
  const calls: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.url !== "/system/services") {
      response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
      return;
    }
    if (request.method === "GET") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(services.map((name) => ({ name }))));
      return;
    }
    const { name } = (await json(request)) as { name: string };
    calls.push(`${request.method} ${name}`);
    response.writeHead(request.method === "POST" ? 201 : 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = createClient({ endpoint: `http://127.0.0.1:${port}`, credentials: { kind: "none" } });
  return { client, calls };
}

const DEFINITIONS = [{ name: "old" }, { name: "new" }];

it("services go to an OSCAR cluster one by one", async () => {
  const { client, calls } = await oscar(["old"]);
  const answer = await applyServices(client, DEFINITIONS, false);
  expect(answer.services).toEqual([
    { name: "old", result: "updated" },
    { name: "new", result: "created" },
  ]);
  expect(answer.warnings).toEqual([expect.stringContaining("one by one")]);
  expect(calls).toEqual(["PUT old", "POST new"]);
});

it("a dry run changes nothing there either", async () => {
  const { client, calls } = await oscar([]);
  expect((await applyServices(client, [{ name: "new" }], true)).services).toEqual([{ name: "new", result: "created" }]);
  expect(calls).toEqual([]);
});
