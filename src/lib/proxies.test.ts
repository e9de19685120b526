import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { Proxies } from "./proxies.ts";

const request = (remoteAddress: string | undefined, headers: IncomingHttpHeaders = {}, encrypted?: boolean) => {
  const socket = { remoteAddress, ...(encrypted === undefined ? {} : { encrypted }) };
  return { socket, headers } as unknown as IncomingMessage;
};
const proxies = new Proxies(["10.0.0.0/8", "192.0.2.1", "fd00::/8"]);
const forwarded = (from: string, by: string, proto?: string) =>
  proxies.peerOf(
    request(by, { "x-forwarded-for": from, ...(proto === undefined ? {} : { "x-forwarded-proto": proto }) }),
  );

describe("a sender", () => {
  it("is who opened the connection where no proxy is trusted", () => {
    const none = new Proxies([]);
    const headers = { "x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https" };
    expect(none.peerOf(request("10.0.0.1", headers))).toEqual({ address: "10.0.0.1", secure: false });
    expect(none.peerOf(request("::ffff:127.0.0.1", headers, true))).toEqual({ address: "127.0.0.1", secure: true });
    expect(none.peerOf(request(undefined))).toEqual({ address: "", secure: false });
  });

  it("cannot make itself another one", () => {
    expect(forwarded("1.2.3.4", "203.0.113.9", "https")).toEqual({ address: "203.0.113.9", secure: false });
    expect(forwarded("1.2.3.4", "192.0.2.2", "https")).toEqual({ address: "192.0.2.2", secure: false });
  });

  it.each([
    ["1.2.3.4", "10.1.2.3", "1.2.3.4"],
    ["1.2.3.4", "::ffff:10.1.2.3", "1.2.3.4"],
    ["2001:db8::7", "fd00::1", "2001:db8::7"],
    ["[2001:db8::7]:4711", "192.0.2.1", "2001:db8::7"],
    ["1.2.3.4:4711", "192.0.2.1", "1.2.3.4"],
    ["6.6.6.6, 1.2.3.4, 10.0.0.5", "192.0.2.1", "1.2.3.4"],
    ["10.0.0.7, 10.0.0.5", "192.0.2.1", "10.0.0.7"],
  ])("%s behind %s is %s", (from, by, address) => expect(forwarded(from, by).address).toBe(address));

  it.each(["unknown", "", " , ", "<script>", "1.2.3.4.5", "unknown, 10.0.0.5"])(
    "of no address (%j) is the proxy that sent it",
    (from) => expect(forwarded(from, "10.1.2.3").address).toBe("10.1.2.3"),
  );
});

describe("a sender's connection", () => {
  it.each([
    ["https", true],
    ["HTTPS", true],
    ["http", false],
    ["http,https", true],
    ["wss", false],
  ])("said to be %s", (proto, secure) => expect(forwarded("1.2.3.4", "10.1.2.3", proto).secure).toBe(secure));

  it("is the one that its own proxy saw, where each of them said so", () => {
    expect(forwarded("1.2.3.4, 10.0.0.5", "10.1.2.3", "https, http").secure).toBe(true);
    expect(forwarded("6.6.6.6, 1.2.3.4, 10.0.0.5", "10.1.2.3", "https, http, https").secure).toBe(false);
  });

  it("is the proxy's where nothing is said", () => {
    expect(proxies.peerOf(request("10.1.2.3", { "x-forwarded-for": "1.2.3.4" }, true)).secure).toBe(true);
    expect(forwarded("1.2.3.4", "10.1.2.3").secure).toBe(false);
  });
});
