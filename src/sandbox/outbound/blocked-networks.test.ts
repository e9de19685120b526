import { expect, test } from "vitest";
import { blockedNetworks, localNetworks4, localNetworks6 } from "./blocked-networks.ts";

const TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 10.7.0.0/16 2 0 2
        |-- 10.7.8.0
           /32 link BROADCAST
           /24 link UNICAST
        |-- 10.7.8.8
           /32 host LOCAL
        |-- 10.7.5.0
           /24 host LOCAL tos=8
Local:
        |-- 10.7.8.8
           /32 host LOCAL
`;

test("addresses are read from the kernel's routes, loopback's left out, each once", () => {
  expect(localNetworks4(TRIE).map(({ network }) => network)).toEqual(["10.7.8.0/32", "10.7.8.8/32", "10.7.5.0/24"]);
});

test("IPv6: addresses of all devices, and networks that are this machine's as a whole", () => {
  const addresses = `00000000000000000000000000000001 01 80 10 80       lo
20010db8000700000000000000000007 01 80 00 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
`;
  const zero = "0".repeat(32);
  const routes = [
    `20010db8000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0`,
    `20010db8000800000000000000000000 40 ${zero} 00 ${zero} 00000400 00000001 00000000 80200001       lo`,
  ].join("\n");
  expect(localNetworks6(addresses, routes).map(({ network }) => network)).toEqual([
    "2001:0db8:0007:0000:0000:0000:0000:0007/128",
    "2001:0db8:0008:0000:0000:0000:0000:0000/64",
  ]);
});

test("this machine's own are among what is blocked", () => {
  const networks = blockedNetworks().map(({ network }) => network);
  expect(networks).toEqual(expect.arrayContaining(["169.254.0.0/16", "127.0.0.0/8", "fe80::/10"]));
  expect(new Set(networks).size).toBe(networks.length);
});
