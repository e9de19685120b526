import { describe, expect, it } from "vitest";
import { HostNames } from "./host-names.ts";

const names = new HostNames(["127.0.0.1", "192.0.2.7", "S3.Example.org", "10.0.0.7", "Node7.cluster", "[2001:db8::7]"]);

/** Twice: the second time from memory. */
const answers = (hosts: HostNames, header: string | undefined): readonly boolean[] => [
  hosts.answersTo(header),
  hosts.answersTo(header),
];

it("below a domain is answered, whatever it is, and beside it not", () => {
  const names = new HostNames(["127.0.0.1"], ["s3.example"]);
  for (const name of ["s3.example", "photos.s3.example:9000", "A.B.S3.Example"])
    expect(names.answersTo(name)).toBe(true);
  for (const name of ["evils3.example", "s3.example.evil", "example"]) expect(names.answersTo(name)).toBe(false);
});

describe("a Host header", () => {
  it.each([
    "localhost",
    "LocalHost:8080",
    "localhost.:8080",
    "127.0.0.1:1",
    "127.8.9.10",
    "[::1]:8080",
    "192.0.2.7",
    "10.0.0.7:8080",
    "s3.example.org.:443",
    "S3.EXAMPLE.org",
    "node7.cluster:8080",
    "[2001:DB8::7]:9000",
  ])("%s is answered", (header) => expect(answers(names, header)).toEqual([true, true]));

  it.each([
    undefined,
    "",
    "::1",
    "[::2]",
    "[::1",
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.evil",
    "192.0.2.8",
    "localhost:8080:1",
    "localhost:",
    "user@localhost",
    "localhost/../",
    "localhost localhost",
  ])("%s is refused", (header) => expect(answers(names, header)).toEqual([false, false]));

  it.each(["0.0.0.0", "::"])("may be any address, but no strange name, when %s is bound", (wildcard) => {
    const all = new HostNames([wildcard]);
    expect(answers(all, "192.168.1.5:8080")).toEqual([true, true]);
    expect(answers(all, "[fe80::1]:8080")).toEqual([true, true]);
    expect(answers(all, "evil.example:8080")).toEqual([false, false]);
  });

  it("is checked however many different ones came before", () => {
    for (let n = 0; n < 200; n++) expect(names.answersTo(`127.0.0.${n}:80`)).toBe(true);
    expect(names.answersTo("evil.example")).toBe(false);
  });
});
