import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { CommitNotice } from "../../state/state.ts";
import { parseRequest } from "../request.ts";
import { CrossOriginAccess } from "./cross-origin.ts";

const RULES =
  "<CORSConfiguration><CORSRule><AllowedOrigin>https://a</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";

function setUp() {
  const kept = new Map<string, string>([["b", RULES]]);
  let asked = 0;
  let now = 0;
  let listener: (notice: CommitNotice) => void = () => undefined;
  const state = {
    bucketConfig: async (bucket: string) => {
      asked += 1;
      return kept.get(bucket) ?? null;
    },
    subscribe: (given: typeof listener) => {
      listener = given;
      return () => undefined;
    },
  };
  const access = new CrossOriginAccess(state, { now: () => now, monotonicMs: () => now });
  /** The headers of the answer to such a request. */
  const headersOf = async (origin: string | null, method = "GET", path = "/b/k") => {
    const message = new IncomingMessage(new Socket());
    Object.assign(message, { method, url: path, rawHeaders: origin === null ? [] : ["Origin", origin] });
    const response = new ServerResponse(message);
    const request = parseRequest(message);
    await (origin === null ? access.markForCaches(request, response) : access.mark(request, response));
    return response.getHeaders();
  };
  return {
    headersOf,
    kept,
    asked: () => asked,
    pass: (ms: number) => {
      now += ms;
    },
    tell: (kinds: CommitNotice["kinds"]) => listener({ lastSeq: 1, services: [], kinds }),
  };
}

describe("CrossOriginAccess", () => {
  it("names the origin that may see the answer, and tells caches that others get another", async () => {
    const { headersOf } = setUp();
    expect(await headersOf("https://a")).toMatchObject({
      "access-control-allow-origin": "https://a",
      vary: expect.stringContaining("Origin"),
    });
    for (const other of ["https://b", null]) {
      expect(Object.keys(await headersOf(other))).toEqual(["vary"]);
    }
  });

  it("leaves answers alone where a bucket has no rules, and those that no cache keeps", async () => {
    const { headersOf } = setUp();
    expect(await headersOf("https://a", "GET", "/other/k")).toEqual({});
    expect(await headersOf("https://a", "GET", "/")).toEqual({});
    expect(await headersOf(null, "PUT")).toEqual({});
  });

  it("asks once a second at most, and again when buckets change", async () => {
    const { headersOf, kept, asked, pass, tell } = setUp();
    await headersOf("https://a");
    await headersOf("https://a");
    tell(["object.created"]);
    await headersOf("https://a");
    expect(asked()).toBe(1);
    kept.delete("b");
    pass(1000);
    expect(await headersOf("https://a")).toEqual({});
    kept.set("b", RULES);
    tell(["bucket.updated"]);
    expect(await headersOf("https://a")).toHaveProperty("vary");
    expect(asked()).toBe(3);
  });
});
