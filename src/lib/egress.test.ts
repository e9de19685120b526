import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { Egress, type EgressRequest, type EgressRules } from "./egress.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Listens on loopback; returns the port. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const egress = (rules: Partial<EgressRules> = {}): Egress =>
  new Egress({ namedHosts: [], allowPrivate: true, ownPorts: () => [], ...rules });

const GET: EgressRequest = { method: "GET", headers: {}, trusted: false, signal: new AbortController().signal };
const TRUSTED = { ...GET, trusted: true };
const names =
  (...addresses: string[]) =>
  async (): Promise<string[]> =>
    addresses;

describe("the way out", () => {
  it("answers the administrator from this machine, by plain HTTP", async () => {
    const port = await serve((request, response) =>
      response.end(`${request.method} ${request.url} ${request.headers.host}`),
    );
    const { status, body } = await egress().request(`http://127.0.0.1:${port}/a?b`, TRUSTED);
    expect([status, await text(body)]).toEqual([200, `GET /a?b 127.0.0.1:${port}`]);
  });

  it.each([
    "http://127.0.0.1:1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost/",
    "http://localhost./",
  ])("refuses %s to everybody else", async (url) => {
    await expect(egress().request(url, GET)).rejects.toMatchObject({
      code: "EGRESS_REFUSED",
      message: expect.stringContaining("only the administrator"),
    });
  });

  it.each([
    "http://169.254.169.254/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
  ])("refuses %s to the administrator too", async (url) => {
    await expect(egress().request(url, TRUSTED)).rejects.toMatchObject({ code: "EGRESS_REFUSED" });
  });

  it.each(["ftp://example.org/", "file:///etc/passwd", "example.org", ""])(
    "refuses %j, which is no web address",
    async (url) => {
      await expect(egress().request(url, GET)).rejects.toMatchObject({ code: "EGRESS_REFUSED" });
    },
  );

  it("judges a name by its addresses, by all of them", async () => {
    for (const addresses of [["127.0.0.1"], ["192.0.2.1", "::1"], ["169.254.169.254"]]) {
      const lookup = names(...addresses);
      await expect(egress({ lookup }).request("https://evil.example/", GET)).rejects.toMatchObject({
        code: "EGRESS_REFUSED",
      });
    }
    const lookup = names("10.0.0.1");
    await expect(egress({ lookup, allowPrivate: false }).request("https://a.example/", GET)).rejects.toMatchObject({
      message: expect.stringContaining("private"),
    });
  });

  it("asks a name server once, and connects to what it said", async () => {
    const port = await serve((_, response) => response.end("reached"));
    let asked = 0;
    const lookup = async (): Promise<string[]> => {
      asked += 1;
      return [asked === 1 ? "127.0.0.1" : "192.0.2.1"];
    };
    const { body } = await egress({ lookup }).request(`http://rebound.example:${port}/`, TRUSTED);
    expect([await text(body), asked]).toEqual(["reached", 1]);
  });

  it("reaches hosts that the operator named, wherever they are", async () => {
    const port = await serve((_, response) => response.end("registry"));
    const rules = { namedHosts: [`registry.lab:${port}`], lookup: names("127.0.0.1") };
    const { body } = await egress(rules).request(`http://registry.lab:${port}/`, GET);
    expect(await text(body)).toBe("registry");
    await expect(egress(rules).request("http://registry.lab:1/", GET)).rejects.toMatchObject({
      code: "EGRESS_REFUSED",
    });
  });

  it("refuses plain HTTP to hosts outside", async () => {
    await expect(egress({ lookup: names("192.0.2.1") }).request("http://a.example/", GET)).rejects.toMatchObject({
      message: expect.stringContaining("plain HTTP"),
    });
  });

  it("follows redirects, and judges each", async () => {
    const end = await serve((request, response) => response.end(request.headers.authorization ?? "no credentials"));
    const port = await serve((request, response) => {
      const to = {
        "/away": `http://127.0.0.1:${end}/`,
        "/here": "/end",
        "/bad": "http://169.254.169.254/",
        "/other": `http://localhost:${end}/`,
      };
      const location = to[(request.url ?? "") as keyof typeof to];
      if (location === undefined) response.end(request.headers.authorization ?? "none");
      else response.writeHead(307, { location }).end();
    });
    const call = async (path: string): Promise<string> => {
      const request = { ...TRUSTED, headers: { Authorization: "Basic secret" } };
      return text((await egress().request(`http://127.0.0.1:${port}${path}`, request)).body);
    };
    expect(await call("/here")).toBe("Basic secret");
    expect(await call("/away")).toBe("no credentials");
    await expect(call("/bad")).rejects.toMatchObject({ code: "EGRESS_REFUSED" });
    await expect(call("/other")).rejects.toMatchObject({ code: "EGRESS_REFUSED" });
  });

  it("ends a redirect without an end", async () => {
    const port = await serve((_, response) => response.writeHead(302, { location: "/again" }).end());
    await expect(egress().request(`http://127.0.0.1:${port}/`, TRUSTED)).rejects.toMatchObject({
      code: "EGRESS_FAILED",
      message: expect.stringContaining("redirects"),
    });
  });

  it("says that nobody listens, and that a name is not known", async () => {
    await expect(egress().request("http://127.0.0.1:1/", TRUSTED)).rejects.toMatchObject({
      code: "EGRESS_FAILED",
      message: "Cannot call http://127.0.0.1:1: nobody listens there",
    });
    const lookup = (): Promise<string[]> => Promise.reject(new Error("ENOTFOUND"));
    await expect(egress({ lookup }).request("https://none.example/", GET)).rejects.toMatchObject({
      message: expect.stringContaining("not known"),
    });
  });

  it("ends with its signal", async () => {
    const port = await serve(() => {});
    const abort = new AbortController();
    const call = egress().request(`http://127.0.0.1:${port}/`, { ...TRUSTED, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 20);
    await expect(call).rejects.toThrow("enough");
  });
});
