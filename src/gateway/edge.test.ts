import { describe, expect, it } from "vitest";
import { createEdge } from "./edge.ts";

const loopback = createEdge("127.0.0.1", ["https://sluice.example.org", "http://10.0.0.7:8080/base"]);
const check = (headers: Record<string, string>, method = "POST", edge = loopback): string => {
  try {
    edge.check(method, headers);
    return "answered";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("the Host header", () => {
  it.each(["localhost", "127.0.0.1:1", "SLUICE.example.org:443", "10.0.0.7"])("%s is answered", (host) =>
    expect(check({ host })).toBe("answered"),
  );

  it.each(["evil.example", "10.0.0.8", ""])("%s is refused", (host) =>
    expect(check({ host }, "GET")).toBe("HOST_REFUSED"),
  );

  it("is needed", () => expect(check({}, "GET")).toBe("HOST_REFUSED"));

  it("may be any address, but no strange name, when all addresses are bound", () => {
    const edge = createEdge("0.0.0.0", []);
    expect(check({ host: "192.168.1.5:8080" }, "GET", edge)).toBe("answered");
    expect(check({ host: "evil.example:8080" }, "GET", edge)).toBe("HOST_REFUSED");
  });
});

describe("calls that change something", () => {
  const host = "localhost:8080";
  it.each([
    ["a program", {}],
    ["a page of this server", { "sec-fetch-site": "same-origin", origin: "http://localhost:8080" }],
    ["a person at the address bar", { "sec-fetch-site": "none" }],
    ["an old browser's own page", { origin: "http://localhost:8080" }],
    ["a page of a configured address", { "sec-fetch-site": "cross-site", origin: "https://sluice.example.org" }],
  ])("are taken from %s", (_, headers) => expect(check({ host, ...headers })).toBe("answered"));

  it.each([
    ["another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
    ["another port of this machine", { "sec-fetch-site": "same-site", origin: "http://localhost:3000" }],
    ["another site in an old browser", { origin: "https://evil.example" }],
    ["another port in an old browser", { origin: "http://localhost:3000" }],
    ["a sandboxed page", { origin: "null" }],
    ["a site that says nothing of its origin", { "sec-fetch-site": "cross-site" }],
    ["another port that says nothing of its origin", { "sec-fetch-site": "same-site" }],
    ["an extension", { origin: "chrome-extension://abc" }],
    ["garbage", { origin: "http://" }],
  ])("are refused from %s", (_, headers) => expect(check({ host, ...headers })).toBe("CROSS_SITE"));

  it("are what the rule is about: reading is not refused", () => {
    expect(check({ host, "sec-fetch-site": "cross-site", origin: "https://evil.example" }, "GET")).toBe("answered");
  });
});
