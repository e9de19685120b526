import { afterEach, beforeEach, expect, it } from "vitest";
import { AS, type FakeServer, fakeServer } from "../testing/fake-server.ts";
import { NOW, objectOf } from "../testing/samples.ts";

let server: FakeServer;
beforeEach(() => {
  server = fakeServer();
  server.state.tables.buckets.set("photos", { name: "photos", owner: "ada", createdAt: NOW, versioning: "off" });
});
afterEach(() => server.close());

const put = (...keys: string[]): void => {
  for (const key of keys) server.state.tables.objects.set(`photos/${key}`, objectOf("photos", key));
};
const get = async (url: string) => (await server.inject({ url, headers: AS.ada })).json();
const create = (body: unknown) =>
  server.inject({ method: "POST", url: "/system/buckets", payload: JSON.stringify(body), headers: AS.ada });
const remove = (query = "") =>
  server.inject({ method: "DELETE", url: `/system/buckets/photos${query}`, headers: AS.ada });

it("lists as OSCAR does", async () => {
  expect(await get("/system/buckets")).toEqual([
    {
      bucket_name: "photos",
      visibility: "private",
      allowed_users: [],
      owner: "ada",
      metadata: {},
      created_at: "2023-11-14T22:13:20.000Z",
    },
  ]);
});

it("makes a bucket; one that is there is 400, as with OSCAR", async () => {
  const made = await create({ bucket_name: "docs", visibility: "", allowed_users: null });
  expect([made.statusCode, made.body]).toEqual([201, ""]);
  const again = await create({ bucket_name: "docs" });
  expect([again.statusCode, again.headers["sluice-error-code"]]).toEqual([400, "BUCKET_EXISTS"]);
});

it.each(["", "UPPER", "a", "..", "10.0.0.1", "a/b"])("refuses the name %j", async (name) => {
  const response = await create({ bucket_name: name });
  expect([response.statusCode, response.headers["sluice-error-code"]]).toEqual([400, "BUCKET_NAME_INVALID"]);
});

it("refuses to share a bucket rather than to pretend", async () => {
  const response = await create({ bucket_name: "docs", visibility: "public" });
  expect([response.statusCode, response.headers["sluice-error-code"]]).toEqual([501, "UNSUPPORTED"]);
  expect(server.state.tables.buckets.has("docs")).toBe(false);
});

it("pages through objects by key, whatever is in the keys", async () => {
  put("a", "b/ü:1", "b/😀", "c");
  const first = await get("/system/buckets/photos?limit=3");
  expect(first).toMatchObject({
    bucket_name: "photos",
    objects: [{ object_name: "a", size_bytes: 3, owner: "ada" }, { object_name: "b/ü:1" }, { object_name: "b/😀" }],
    is_truncated: true,
    returned_items: 3,
  });
  const second = await get(`/system/buckets/photos?limit=3&page=${first.next_page}`);
  expect(second).toMatchObject({ objects: [{ object_name: "c" }], is_truncated: false });
  expect(second.next_page).toBeUndefined();
  expect((await get("/system/buckets/photos?prefix=b/")).objects).toHaveLength(2);
});

it("deletes an empty bucket, one with objects only when asked to", async () => {
  put(...Array.from({ length: 1200 }, (_, at) => `k${at}`));
  const kept = await remove();
  expect([kept.statusCode, kept.headers["sluice-error-code"]]).toEqual([409, "BUCKET_NOT_EMPTY"]);
  expect((await remove("?data=true")).statusCode).toBe(204);
  expect(server.state.tables.objects.size).toBe(0);
  expect((await remove()).statusCode).toBe(404);
});
