import { expect, it } from "vitest";
import { hostOf, reachableUrl } from "./addresses.ts";

it.each([
  ["127.0.0.1", "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["::", "http://[::1]:80"],
  ["::1", "http://[::1]:80"],
  ["node7.lab", "http://node7.lab:80"],
])("reaches %s by %s", (host, url) => expect(reachableUrl(host, 80)).toBe(url));

it("takes a host out of a URL", () => expect(hostOf("https://sluice.example.org:8443/x")).toBe("sluice.example.org"));
