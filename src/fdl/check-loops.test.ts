import { expect, test } from "vitest";
import { isSluiceError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import { refuseLoops, usesOwnKeys } from "./check-loops.ts";
import { ANY_SERVER } from "./check-service.ts";
import { serviceFromDefinition } from "./service-definition.ts";

function service(name: string, from: string, to: string, more: object = {}): Service {
  const definition = { name, script: "x", input: [{ path: from }], output: [{ path: to }], ...more };
  return serviceFromDefinition(definition, ANY_SERVER).spec;
}

const OLD = { image: "alpine" };

function refused(changed: Service[], others: Service[] = []): string {
  try {
    refuseLoops(changed, others);
    return "";
  } catch (error) {
    if (isSluiceError(error, "SERVICE_LOOP")) return error.message;
    throw error;
  }
}

test("a service that feeds itself is refused with the cure", () => {
  expect(refused([service("a", "photos/in", "photos/in")])).toBe(
    'Cannot apply "a": its outputs can feed its own input (write to another folder, or set allow_loops: true to allow it)',
  );
  expect(refused([service("a", "photos/in", "photos/out")])).toBe("");
});

test("a change is judged with the services that stay, and names the way round", () => {
  const standing = [service("b", "photos/2", "photos/3"), service("c", "photos/3", "photos/1")];
  expect(refused([service("a", "photos/1", "photos/2")], standing)).toContain("by way of a -> b -> c -> a");
  // An update replaces its own old form.
  expect(refused([service("c", "photos/3", "photos/4")], [...standing, service("a", "photos/1", "photos/2")])).toBe("");
});

test("loops among services that do not change are no matter", () => {
  const standing = [service("b", "photos/b", "photos/b", OLD)];
  expect(refused([service("a", "photos/1", "photos/2")], standing)).toBe("");
});

test("one service on the loop may allow it; another loop stays refused", () => {
  const free = service("a", "photos/1", "photos/2", { allow_loops: true });
  expect(refused([free, service("b", "photos/2", "photos/1")])).toBe("");
  expect(refused([free, service("b", "photos/2", "photos/2")])).toContain('"b"');
});

test("files in the old dialect are warned", () => {
  const old = service("a", "photos/in", "photos/in", OLD);
  expect(refuseLoops([old], [])).toEqual([
    'Service "a": its outputs can feed its own input; chains of more than 16 jobs are stopped',
  ]);
  expect(refused([old, service("b", "photos/in", "photos/in")])).toContain('"b"');
});

test("the dialect is told by what OSCAR has no word for", () => {
  expect(usesOwnKeys(service("a", "p12/1", "p12/2", OLD))).toBe(false);
  expect(usesOwnKeys(service("a", "p12/1", "p12/2"))).toBe(true);
  expect(usesOwnKeys(service("a", "p12/1", "p12/2", { ...OLD, allow_loops: false }))).toBe(true);
  expect(usesOwnKeys(service("a", "p12/1", "p12/2", { ...OLD, output: [{ path: "p12/2", optional: false }] }))).toBe(
    true,
  );
});
