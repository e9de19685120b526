import { afterEach, expect, it } from "vitest";
import { SluiceError } from "../../core/errors.ts";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { serviceRecord } from "../testing/fake-state.ts";
import { definitionOf, specOf } from "../testing/samples.ts";

let server: FakeServer;
const start = (...over: Parameters<typeof fakeServer>): FakeServer => {
  server = fakeServer(...over);
  return server;
};
afterEach(() => server.close());

const send = (method: "POST" | "PUT", url: string, body: unknown, who: keyof typeof AS = "ada") =>
  server.inject({ method, url, payload: JSON.stringify(body), headers: AS[who] });
const show = async (name: string, who: keyof typeof AS = "ada") =>
  (await server.inject({ url: `/system/services/${name}`, headers: AS[who] })).json();

it("creates with an empty 201, and a second time is 409", async () => {
  start();
  const first = await send("POST", "/system/services", definitionOf("thumbs"));
  expect([first.statusCode, first.body]).toEqual([201, ""]);
  const second = await send("POST", "/system/services", definitionOf("thumbs"));
  expect(second.statusCode).toBe(409);
  expect(second.headers["sluice-error-code"]).toBe("SERVICE_EXISTS");
});

it("returns OSCAR's keys with the script and the names of secrets, never their values", async () => {
  start();
  await send("POST", "/system/services", definitionOf("thumbs", { labels: { team: "vision" } }));
  const service = await show("thumbs");
  expect(service).toMatchObject({
    name: "thumbs",
    owner: "ada",
    image: "host",
    memory: "64Mi",
    script: definitionOf("thumbs").script,
    labels: { team: "vision", oscar_service: "thumbs" },
    environment: { variables: { LEVEL: "3" }, secrets: { PASSPHRASE: "" } },
  });
  expect(service.token).toMatch(/^[0-9a-f]{64}$/);
  const list = await server.inject({ url: "/system/services", headers: AS.ada });
  expect(list.json()).toEqual([service]);
  expect(list.body).not.toContain("hush-hush");
});

it("shows the long-lived token to the owner and the administrator, not to the holder of a token", async () => {
  start();
  await send("POST", "/system/services", definitionOf("thumbs"));
  expect((await show("thumbs", "admin")).token).toMatch(/^[0-9a-f]{64}$/);
  expect((await show("thumbs", "attemptToken")).token).toBeUndefined();
  expect((await show("thumbs", "serviceToken")).token).toBeUndefined();
});

it("updates with an empty 204, keeps the token, and takes blank secrets for those it has", async () => {
  start();
  await send("POST", "/system/services", definitionOf("thumbs"));
  const before = await show("thumbs");
  const response = await send("PUT", "/system/services", { ...before, memory: "128Mi" });
  expect([response.statusCode, response.body]).toEqual([204, ""]);
  const after = await show("thumbs");
  expect(after).toMatchObject({ memory: "128Mi", token: before.token });
  const stored = server.state.tables.services.get("thumbs")?.revision.spec.secrets;
  expect(stored).toEqual({ PASSPHRASE: "hush-hush" });
});

it("does not update what is not there", async () => {
  start();
  const response = await send("PUT", "/system/services", definitionOf("absent"));
  expect(response.statusCode).toBe(404);
  expect(response.headers["sluice-error-code"]).toBe("SERVICE_UNKNOWN");
});

it("refuses an image that it cannot run, with the cure, and makes nothing", async () => {
  start();
  const response = await send("POST", "/system/services", definitionOf("thumbs", { image: "alpine:3" }));
  expect(response.statusCode).toBe(400);
  expect(response.headers["sluice-error-code"]).toBe("IMAGE_UNSUPPORTED");
  expect(response.body).toContain("image: host");
  expect(server.state.tables.services.size).toBe(0);
});

it("says in a header what it keeps but cannot honour", async () => {
  start();
  const response = await send("POST", "/system/services", definitionOf("thumbs", { enable_sgx: true }));
  expect(response.statusCode).toBe(201);
  expect(String(response.headers["sluice-warning"])).toContain("enable_sgx");
});

it("applies all, and says what became of each", async () => {
  start();
  const body = [definitionOf("a"), definitionOf("b", { input: [{ storage_provider: "minio", path: "docs/in" }] })];
  const response = await send("POST", "/system/services/apply", body);
  expect(response.json()).toEqual({
    dry_run: false,
    services: [
      { name: "a", result: "created" },
      { name: "b", result: "created" },
    ],
    warnings: [],
  });
  expect([...server.state.tables.services.keys()]).toEqual(["a", "b"]);
});

it("applies none when one has a mistake, and tells the mistakes of all", async () => {
  start();
  const body = [definitionOf("good"), definitionOf("bad", { memory: "12Q" }), definitionOf("worse", { colour: "red" })];
  const response = await send("POST", "/system/services/apply", body);
  expect(response.statusCode).toBe(400);
  const problem = response.json();
  expect(problem.code).toBe("SERVICE_INVALID");
  expect(problem.detail).toContain('"bad"');
  expect(problem.detail).toContain('"worse"');
  expect(problem.details.problems.map(({ path }: { path: string }) => path)).toEqual(["memory", "colour"]);
  expect(server.state.tables.services.size).toBe(0);
});

it("refuses one name twice in a call", async () => {
  start();
  const response = await send("POST", "/system/services/apply", [definitionOf("a"), definitionOf("a")]);
  expect([response.statusCode, response.json().code]).toEqual([400, "SERVICE_INVALID"]);
});

it("refuses services that would feed themselves with what is deployed", async () => {
  start();
  server.state.tables.services.set(
    "back",
    serviceRecord(
      specOf("back", {
        input: [{ storage_provider: "minio", path: "photos/out" }],
        output: [{ storage_provider: "minio", path: "photos/in" }],
      }),
      "ada",
    ),
  );
  const response = await send("POST", "/system/services/apply", [definitionOf("forth")]);
  expect([response.statusCode, response.json().code]).toEqual([400, "SERVICE_LOOP"]);
  expect(server.state.tables.services.has("forth")).toBe(false);
});

it("foresees what an apply would do, and does not do it", async () => {
  start();
  await send("POST", "/system/services", definitionOf("same"));
  await send("POST", "/system/services", definitionOf("other"));
  const body = [definitionOf("same"), definitionOf("other", { cpu: "1" }), definitionOf("fresh")];
  const response = await send("POST", "/system/services/apply?dry_run=true", body);
  expect(response.json()).toMatchObject({
    dry_run: true,
    services: [
      { name: "same", result: "unchanged" },
      { name: "other", result: "updated" },
      { name: "fresh", result: "created" },
    ],
  });
  expect(server.state.tables.services.has("fresh")).toBe(false);
  expect((await show("other")).cpu).toBe("0.5");
  const taken = await send("POST", "/system/services/apply?dry_run=true", [definitionOf("same")], "bob");
  expect([taken.statusCode, taken.json().code]).toEqual([403, "FORBIDDEN"]);
});

it("deletes with an empty 204 and passes the wish to delete data on", async () => {
  const asked: boolean[] = [];
  start();
  await send("POST", "/system/services", definitionOf("thumbs"));
  const remove = server.state.removeService;
  server.state.removeService = async (by, name, data) => {
    asked.push(data);
    await remove(by, name, data);
  };
  const kept = await server.inject({ method: "DELETE", url: "/system/services/thumbs?data=true", headers: AS.ada });
  expect([kept.statusCode, kept.body, asked]).toEqual([204, "", [true]]);
  const again = await server.inject({ method: "DELETE", url: "/system/services/thumbs", headers: AS.ada });
  expect(again.statusCode).toBe(404);
});

it("passes on that another user has the name", async () => {
  start();
  server.state.applyServices = async () => {
    throw new SluiceError("FORBIDDEN", 'Cannot apply "thumbs": the name is taken by another user');
  };
  const response = await send("POST", "/system/services/apply", [definitionOf("thumbs")], "bob");
  expect([response.statusCode, response.json().code]).toEqual([403, "FORBIDDEN"]);
});
