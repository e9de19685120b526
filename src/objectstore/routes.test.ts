import { readFileSync } from "node:fs";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { toS3Failure } from "../s3/errors.ts";
import { uploadPart } from "./operations/multipart/upload-part.ts";
import { objectUrl, parseRequest, type S3Request } from "./request.ts";
import { findOperation } from "./router.ts";
import { ROUTES, type Route } from "./routes.ts";

const PATHS = { service: "/", bucket: "/bucket", object: "/bucket/key" };

function request(method: string, url: string, headers: readonly string[] = []): S3Request {
  const message = new IncomingMessage(new Socket());
  message.method = method;
  message.url = url;
  message.rawHeaders = [...headers];
  return parseRequest(message);
}

const addressOf = (route: Route): string => PATHS[route.target] + (route.query === null ? "" : `?${route.query}`);

function resultOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return toS3Failure(error).code;
  }
}

describe("routes", () => {
  it("are the rows of docs/reference/s3.md, in order", () => {
    const page = readFileSync(new URL("../../docs/reference/s3.md", import.meta.url), "utf8");
    const written = [...page.matchAll(/^\| (\w+) \| `([^`]+)` \| (.+) \|$/gm)].map((row) => row.slice(1));
    const coded = ROUTES.map((route) => [
      route.operation,
      `${route.method} ${addressOf(route)}${route.header === null ? "" : ` + ${route.header}`}`,
      route.handler === null ? "not yet: NotImplemented" : "yes",
    ]);
    expect(written).toEqual(coded);
  });

  it("have different names and different shapes", () => {
    expect(new Set(ROUTES.map((route) => route.operation)).size).toBe(ROUTES.length);
    const shapes = ROUTES.map(({ method, target, query, header }) => `${method} ${target} ${query} ${header}`);
    expect(new Set(shapes).size).toBe(ROUTES.length);
  });

  it.each(ROUTES.map((route) => [route.operation, route] as const))("find %s", (_, route) => {
    const headers = route.header === null ? [] : [route.header, "/b/k"];
    const found = resultOf(() => findOperation(request(route.method, addressOf(route), headers)));
    expect(found).toBe(route.handler ?? "NotImplemented");
  });
});

describe("findOperation", () => {
  const get = ROUTES.find((route) => route.operation === "GetObject")?.handler;

  it("ignores parameters that name no call", () => {
    expect(findOperation(request("GET", "/b/k?x-id=GetObject&unknown=1"))).toBe(get);
  });

  it("finds a part of an upload whatever the order of its parameters", () => {
    for (const url of ["/b/k?partNumber=1&uploadId=x", "/b/k?uploadId=x&partNumber=1"]) {
      expect(resultOf(() => findOperation(request("PUT", url)))).toBe(uploadPart);
    }
  });

  it.each([
    ["PATCH", "/b/k"],
    ["POST", "/b/k"],
    ["PUT", "/"],
    ["GET", "/b/k?uploads"],
  ])("refuses %s %s", (method, url) => {
    expect(resultOf(() => findOperation(request(method, url)))).toBe("MethodNotAllowed");
  });
});

describe("parseRequest", () => {
  it.each([
    ["photos.s3.lab.example", "/in/a.jpg", "photos", "in/a.jpg"],
    ["Photos.S3.lab.example:9000", "/", "photos", ""],
    ["a.b.s3.lab.example", "//x", "a.b", "/x"],
    ["s3.lab.example", "/photos/in/a.jpg", "photos", "in/a.jpg"],
    ["x.lab.example", "/in", "x", "in"],
    ["other.example", "/photos/in", "photos", "in"],
    ["evils3.lab.example.", "/b/k", "evils3", "b/k"],
    ["[::1]:9000", "/b/k", "b", "k"],
  ])("under the name %s takes %s apart", (host, url, bucket, key) => {
    const message = { method: "GET", url, rawHeaders: ["Host", host], headers: { host } } as IncomingMessage;
    expect(parseRequest(message, ["lab.example", "s3.lab.example"])).toMatchObject({ bucket, key });
  });

  it.each([
    ["/", "", ""],
    ["/b", "b", ""],
    ["/b/", "b", ""],
    ["/b/k", "b", "k"],
    ["/b//k", "b", "/k"],
    ["/b/a//b", "b", "a//b"],
    ["/b/../x/./y", "b", "../x/./y"],
    ["/b/a%2Fb%20%2B+", "b", "a/b ++"],
    ["/b/%F0%9F%98%80?list-type=2", "b", "\u{1F600}"],
  ])("takes %s apart", (url, bucket, key) => {
    expect(request("GET", url)).toMatchObject({ bucket, key });
  });

  it.each([
    ["s3.lab.example:9000", "/photos", "http://s3.lab.example:9000/photos/a%20b/c"],
    ["photos.s3.lab.example", "/", "http://photos.s3.lab.example/a%20b/c"],
  ])("gives objects addresses as under %s", (host, url, address) => {
    const message = new IncomingMessage(new Socket());
    Object.assign(message, { method: "POST", url, rawHeaders: ["Host", host], headers: { host } });
    expect(objectUrl(parseRequest(message, ["s3.lab.example"]), "a b/c")).toBe(address);
  });

  it.each(["http://h/b/k", "*", "/b/%zz", "/b/%ff"])("refuses %s", (url) => {
    expect(resultOf(() => request("GET", url))).toBe("InvalidURI");
  });
});
