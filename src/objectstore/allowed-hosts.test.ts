import { describe, expect, it } from "vitest";
import { isSluiceError } from "../core/errors.ts";
import { AllowedHosts } from "./allowed-hosts.ts";

function refuses(hosts: AllowedHosts, header: string | undefined): boolean {
  try {
    hosts.check(header);
    return false;
  } catch (error) {
    return isSluiceError(error, "HOST_REFUSED");
  }
}

describe("AllowedHosts", () => {
  const hosts = new AllowedHosts(["192.0.2.7", "S3.Example.org"]);

  it.each([
    "localhost",
    "LOCALHOST:9000",
    "127.0.0.1:9000",
    "127.3.2.1",
    "[::1]:9000",
    "192.0.2.7",
    "s3.example.org.:443",
  ])("answers to %s", (header) => {
    expect(refuses(hosts, header)).toBe(false);
    expect(refuses(hosts, header)).toBe(false);
  });

  it.each([
    undefined,
    "",
    "evil.example",
    "localhost.evil.example",
    "192.0.2.8",
    "127.0.0.1.evil.example",
    "a@localhost",
    "[::2]",
  ])("refuses %s", (header) => {
    expect(refuses(hosts, header)).toBe(true);
  });

  it("answers to every address, but to no other name, when it listens on all", () => {
    const all = new AllowedHosts(["0.0.0.0"]);
    expect(refuses(all, "203.0.113.9:9000")).toBe(false);
    expect(refuses(all, "[2001:db8::1]")).toBe(false);
    expect(refuses(all, "evil.example")).toBe(true);
  });
});
