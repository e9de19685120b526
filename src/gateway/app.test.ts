import { afterEach, describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import { AS, type FakeServer, fakeServer } from "./testing/fake-server.ts";
import { definitionOf } from "./testing/samples.ts";

const servers: FakeServer[] = [];
const start = (...over: Parameters<typeof fakeServer>): FakeServer => {
  const server = fakeServer(...over);
  servers.push(server);
  return server;
};
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const apply = (payload: string | Buffer, headers: Record<string, string> = {}) =>
  ({ method: "POST", url: "/system/services/apply", payload, headers: { ...AS.ada, ...headers } }) as const;

describe("credentials", () => {
  it.each([
    ["none", undefined],
    ["a wrong password", `Basic ${Buffer.from("ada:wrong").toString("base64")}`],
    ["no colon", `Basic ${Buffer.from("ada").toString("base64")}`],
    ["not base64", "Basic ❤".replace("❤", "%%%")],
    ["an unknown token", `Bearer ${"0".repeat(64)}`],
    ["an unknown scheme", "Digest username=ada"],
    ["a scheme alone", "Basic"],
    ["two credentials", `${AS.ada.authorization} ${AS.bob.authorization}`],
  ])("are refused with 401: %s", async (_, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const response = await start().inject({ url: "/system/info", headers });
    expect(response.statusCode).toBe(401);
    expect(response.headers["sluice-error-code"]).toBe("UNAUTHENTICATED");
    expect(response.headers["www-authenticate"]).toMatch(/^Basic /);
  });

  it("are not asked for by a browser's box when a page's script calls", async () => {
    const response = await start().inject({ url: "/system/jobs", headers: { "sec-fetch-mode": "cors" } });
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBeUndefined();
  });

  it("may hold colons, and any case of the scheme", async () => {
    const headers = { authorization: AS.bob.authorization.replace("Basic", "bAsIc") };
    expect((await start().inject({ url: "/system/info", headers })).statusCode).toBe(200);
  });
});

describe("the edge", () => {
  it("answers no other host name, on any path", async () => {
    const server = start();
    for (const url of ["/healthz", "/system/jobs", "/nowhere"]) {
      const response = await server.inject({ url, headers: { ...AS.admin, host: "evil.example" } });
      expect(response.statusCode).toBe(421);
      expect(response.json().code).toBe("HOST_REFUSED");
    }
  });

  it("changes nothing for another site, whatever the credentials", async () => {
    const server = start();
    const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const response = await server.inject(apply(JSON.stringify([definitionOf("x")]), headers));
    expect(response.statusCode).toBe(403);
    expect(response.json().code).toBe("CROSS_SITE");
    expect(server.state.tables.services.size).toBe(0);
  });

  it("gives every answer headers that keep browsers from guessing, framing and caching", async () => {
    const server = start();
    for (const url of ["/healthz", "/system/jobs", "/nowhere", "/system/jobs/none"]) {
      const { headers } = await server.inject({ url, headers: AS.ada });
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      });
      expect(headers["request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

describe("addresses", () => {
  it("that are not there are 404", async () => {
    const response = await start().inject({ url: "/system/nothing?x=1", headers: AS.admin });
    expect([response.statusCode, response.json().code]).toEqual([404, "NOT_FOUND"]);
  });

  it.each([
    ["DELETE", "/system/jobs", "HEAD, GET"],
    ["POST", "/system/services/thumbs", "HEAD, GET, DELETE"],
    ["OPTIONS", "/job/thumbs", "POST"],
    ["PATCH", "/system/config/", "HEAD, GET"],
    ["PUT", "/system/jobs/x/cancel", "POST"],
  ] as const)("do not answer %s %s: 405 with Allow", async (method, url, allow) => {
    const response = await start().inject({ method, url, headers: AS.admin });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe(allow);
    expect(response.json().code).toBe("METHOD_NOT_ALLOWED");
  });

  it.each(["/system/jobs/%E0%A4%A", "/system/jobs/%zz"])("%s are malformed: 400", async (url) => {
    const response = await start().inject({ url, headers: AS.admin });
    expect([response.statusCode, response.json().code]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("longer than any name are 404, and hostile names are just unknown", async () => {
    const server = start();
    for (const id of ["a".repeat(5000), "..%2f..%2fetc%2fpasswd", "%00", "__proto__", "' OR 1=1 --"]) {
      const response = await server.inject({ url: `/system/jobs/${id}`, headers: AS.admin });
      expect(response.statusCode).toBe(404);
    }
  });

  it("may end in a slash", async () => {
    expect((await start().inject({ url: "/system/info/", headers: AS.ada })).statusCode).toBe(200);
  });
});

describe("bodies", () => {
  it.each([
    ["cut", '[{"name":'],
    ["empty", ""],
    ["of another type", '"text"'],
    ["an object", "{}"],
    ["an empty list", "[]"],
    ["a list of numbers", "[1,2]"],
    ["not UTF-8", Buffer.from([0x5b, 0xff, 0x5d])],
    ["with a prototype", '[{"__proto__":{"name":"x"}}]'],
    ["with an escaped prototype", '[{"a":{"\\u005f_proto__":1}}]'],
    ["nested without end", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ])("%s are 400 and change nothing", async (_, payload) => {
    const server = start();
    const response = await server.inject(apply(payload));
    expect([response.statusCode, response.json().code]).toEqual([400, "REQUEST_INVALID"]);
    expect(server.state.tables.services.size).toBe(0);
  });

  it("do not come back in the error, they may hold secrets", async () => {
    const response = await start().inject(apply('[{"environment":{"secrets":{"K":"hush-hush"}}} oops'));
    expect(response.statusCode).toBe(400);
    expect(response.body).not.toContain("hush");
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"])(
    "of type %s are 415 for our calls",
    async (type) => {
      const response = await start().inject(apply("[]", { "content-type": type }));
      expect([response.statusCode, response.json().code]).toEqual([415, "MEDIA_TYPE_UNSUPPORTED"]);
    },
  );

  it.each(["application/json", "application/json; charset=utf-8", "application/merge-patch+json"])(
    "of type %s are JSON",
    async (type) => {
      const payload = JSON.stringify([definitionOf("thumbs")]);
      expect((await start().inject(apply(payload, { "content-type": type }))).statusCode).toBe(200);
    },
  );

  it.each([undefined, "application/x-www-form-urlencoded", "text/plain"])(
    "of type %s are JSON for OSCAR's clients, which name none",
    async (type) => {
      const headers = { ...AS.ada, ...(type === undefined ? {} : { "content-type": type }) };
      const payload = Buffer.from(JSON.stringify(definitionOf("thumbs")));
      const response = await start().inject({ method: "POST", url: "/system/services", payload, headers });
      expect(response.statusCode).toBe(201);
    },
  );

  it("larger than a call takes are 413 before they are read", async () => {
    const response = await start().inject(apply("[]", { "content-length": String(1e12) }));
    expect([response.statusCode, response.json().code]).toEqual([413, "BODY_TOO_LARGE"]);
  });

  it("are not read for those who may not call", async () => {
    const response = await start().inject({ ...apply("not json"), headers: {} });
    expect(response.statusCode).toBe(401);
  });
});

describe("queries", () => {
  it.each(["limit=0", "limit=x", "limit=1e9", "limit=1&limit=2", "state=DONE", "since=yesterday", "limt=5"])(
    "%s is 400",
    async (query) => {
      const response = await start().inject({ url: `/system/jobs?${query}`, headers: AS.ada });
      expect([response.statusCode, response.json().code]).toEqual([400, "REQUEST_INVALID"]);
    },
  );
});

describe("failures inside", () => {
  it("are told as INTERNAL, and logged once with their cause, which the client does not see", async () => {
    const boom = new Error("SELECT secret FROM vault at /srv/data");
    const server = start({ deps: { objectCount: () => Promise.reject(boom) } });
    const response = await server.inject({ url: "/system/status", headers: AS.admin });
    expect(response.statusCode).toBe(500);
    expect(response.headers["sluice-error-code"]).toBe("INTERNAL");
    expect(response.body).not.toMatch(/SELECT|vault|\.ts/);
    expect(server.logged).toHaveLength(1);
    const line = JSON.parse(server.logged[0] ?? "{}");
    expect(line).toMatchObject({ level: "error", route: "getStatus", requestId: response.headers["request-id"] });
    expect(line.error.message).toBe(boom.message);
  });

  it.each([
    ["OVERLOADED", 429, "1"],
    ["STOPPING", 503, "5"],
    ["DISK_FULL", 507, "30"],
  ] as const)("%s are %d with Retry-After", async (code, status, after) => {
    const backup = () => Promise.reject(new SluiceError(code, "Cannot do it now: because"));
    const response = await start({ deps: { backup } }).inject({
      method: "POST",
      url: "/system/backup",
      payload: { target: "/x" },
      headers: AS.admin,
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers["retry-after"]).toBe(after);
    expect(response.json()).toMatchObject({ code, status, retryable: true, detail: "Cannot do it now: because" });
  });

  it("take OSCAR's form on OSCAR's calls: a sentence, and the code in a header", async () => {
    const response = await start().inject({ url: "/system/services/none", headers: AS.ada });
    expect(response.statusCode).toBe(404);
    expect(response.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(response.headers["sluice-error-code"]).toBe("SERVICE_UNKNOWN");
    expect(response.body).toBe('Cannot find the service "none": there is none of that name that you may see');
  });
});

describe("while the server drains", () => {
  it("new work is 503, and looking goes on", async () => {
    const server = start();
    server.mood.draining = true;
    const response = await server.inject(apply(JSON.stringify([definitionOf("thumbs")])));
    expect([response.statusCode, response.json().code]).toEqual([503, "STOPPING"]);
    expect(response.headers["retry-after"]).toBe("5");
    expect((await server.inject({ url: "/system/jobs", headers: AS.ada })).statusCode).toBe(200);
  });
});
