import { afterEach, expect, it } from "vitest";
import { ANY_SERVER } from "../../fdl/check-service.ts";
import { fakeDigest } from "../../images/testing/fake-images.ts";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { definitionOf } from "../testing/samples.ts";

let server: FakeServer;
afterEach(() => server.close());

const TOOL = "registry.example.org/known/tool:1";
const start = (): void => {
  server = fakeServer({ deps: { abilities: async () => ANY_SERVER } });
};

type Who = "admin" | "ada";
const send = (method: "GET" | "POST" | "PUT" | "DELETE", url: string, payload?: object, as: Who = "admin") =>
  server.inject({ method, url, headers: AS[as], ...(payload === undefined ? {} : { payload }) });

it("pulls, telling how it goes on, and lists what is there", async () => {
  start();
  const response = await send("POST", "/system/images", { image: TOOL, pull_secrets: ["lab"] });
  expect([response.statusCode, response.headers["content-type"]]).toEqual([200, "text/event-stream"]);
  expect(response.body).toBe(
    `event: progress\ndata: {"kind":"progress","layersDone":1,"layers":2,"bytesDone":10,"bytes":20}\n\n` +
      `event: end\ndata: ${JSON.stringify({ kind: "end", reference: TOOL, digest: fakeDigest(TOOL) })}\n\n`,
  );
  expect(server.images.asked).toEqual([`cluster_admin ${TOOL} lab`]);
  expect((await send("GET", "/system/images")).json()).toMatchObject([
    { digest: fakeDigest(TOOL), references: [TOOL], size: 100, own_size: 60, in_use: false },
  ]);
});

it("answers a name that is not there with its status, and tells what fails later as an event", async () => {
  start();
  expect((await send("POST", "/system/images", { image: "nothing" })).json()).toMatchObject({
    status: 404,
    code: "IMAGE_UNKNOWN",
  });
  expect((await send("POST", "/system/images", { image: "known/broken" })).body).toContain(
    'event: error\ndata: {"kind":"error","code":"IMAGE_INVALID"',
  );
});

it("removes one by its digest, unless a job runs on it", async () => {
  start();
  const asker = { owner: "ada", isAdmin: false, pullSecrets: [] };
  const image = { reference: TOOL, digest: fakeDigest(TOOL) };
  const held = await server.images.hold(image, asker, { signal: new AbortController().signal });
  const remove = () => send("DELETE", `/system/images/${fakeDigest(TOOL)}`);
  expect((await remove()).json()).toMatchObject({ status: 409, code: "IMAGE_IN_USE" });
  held.release();
  expect((await remove()).json()).toEqual({ freed: 60 });
  expect((await remove()).statusCode).toBe(404);
  expect((await send("DELETE", "/system/images/sha256:abc")).statusCode).toBe(400);
});

it("pins the image of a service to a digest, asks with its owner's rights, and keeps pinned ones from a prune", async () => {
  start();
  const definition = definitionOf("tool", {
    image: TOOL,
    network: "none",
    image_pull_secrets: ["lab"],
    image_prefetch: true,
  });
  expect((await send("POST", "/system/services", definition, "ada")).statusCode).toBe(201);
  expect(server.images.asked).toEqual([`ada ${TOOL} lab`]);
  expect(server.state.tables.services.get("tool")?.revision.spec.imageDigest).toBe(fakeDigest(TOOL));
  await expect.poll(() => server.images.stored.size).toBe(1);
  await send("POST", "/system/images", { image: "known/other" });
  expect((await send("POST", "/system/images/prune")).json()).toEqual({ freed: 60 });
  expect([...server.images.stored.keys()]).toEqual([fakeDigest(TOOL)]);
});

it("refuses a service whose image is not there; a failed prefetch is only logged", async () => {
  start();
  const applied = await send("POST", "/system/services/apply", [definitionOf("tool", { image: "nothing" })], "ada");
  expect(applied.json()).toMatchObject({ status: 404, code: "IMAGE_UNKNOWN" });
  expect(server.state.tables.services.size).toBe(0);
  const broken = definitionOf("tool", { image: "known/broken", image_prefetch: true });
  expect((await send("POST", "/system/services", broken, "ada")).statusCode).toBe(201);
  await expect.poll(() => server.logged.join()).toContain("could not be pulled ahead");
});
