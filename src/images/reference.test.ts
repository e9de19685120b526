import { describe, expect, it } from "vitest";
import { formatImageReference, parseImageReference } from "./reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

describe("an image's name", () => {
  it.each([
    ["python", "registry-1.docker.io", "library/python", "latest", null],
    ["python:3.13-slim", "registry-1.docker.io", "library/python", "3.13-slim", null],
    ["docker.io/library/python:3.13-slim", "registry-1.docker.io", "library/python", "3.13-slim", null],
    ["docker.io/python", "registry-1.docker.io", "library/python", "latest", null],
    ["index.docker.io/a/b", "registry-1.docker.io", "a/b", "latest", null],
    ["grycap/cowsay", "registry-1.docker.io", "grycap/cowsay", "latest", null],
    ["ghcr.io/grycap/cowsay:v1", "ghcr.io", "grycap/cowsay", "v1", null],
    ["localhost/x", "localhost", "x", "latest", null],
    ["localhost:5000/a/b/c:t", "localhost:5000", "a/b/c", "t", null],
    ["127.0.0.1:5000/x", "127.0.0.1:5000", "x", "latest", null],
    ["[::1]:5000/x", "[::1]:5000", "x", "latest", null],
    ["Registry.Example/x", "registry.example", "x", "latest", null],
    [`python@${DIGEST}`, "registry-1.docker.io", "library/python", null, DIGEST],
    [`ghcr.io/a/b:t@${DIGEST}`, "ghcr.io", "a/b", "t", DIGEST],
  ])("%s is understood", (text, registry, repository, tag, digest) => {
    const reference = parseImageReference(text);
    expect(reference).toMatchObject({ registry, repository, tag, digest });
    expect(parseImageReference(formatImageReference(reference))).toEqual(reference);
  });

  it.each([
    [""],
    ["/"],
    ["a//b"],
    ["a/"],
    ["../etc"],
    ["a/../b"],
    ["UPPER"],
    ["docker.io/Upper"],
    ["a b"],
    ["a:"],
    ["a:b:c"],
    [`a:${"t".repeat(129)}`],
    ["a@sha256:abc"],
    [`a@${DIGEST}@${DIGEST}`],
    ["a@md5:abc"],
    ["evil.example:99999999/x"],
    ["user@host/x"],
    ["http://ghcr.io/x"],
    [`${"a/".repeat(200)}a`],
    ["a\nb"],
  ])("%j is refused", (text) => {
    expect(() => parseImageReference(text)).toThrowError(expect.objectContaining({ code: "IMAGE_UNSUPPORTED" }));
  });
});
