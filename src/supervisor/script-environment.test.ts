import { describe, expect, it } from "vitest";
import { scriptEnvironment, stagedInputPath } from "./script-environment.ts";
import { makeOrder, TOKEN } from "./testing/attempt-bench.ts";

describe("scriptEnvironment", () => {
  it("describes the attempt as scripts of OSCAR know it", () => {
    expect(scriptEnvironment(makeOrder(), "node-1")).toEqual({
      INPUT_FILE_PATH: "/sluice/in/cat.jpg",
      INPUT_FILE: "/sluice/in/cat.jpg",
      FILE_NAME: "cat.jpg",
      TMP_INPUT_DIR: "/sluice/in",
      TMP_OUTPUT_DIR: "/sluice/out",
      STORAGE_OBJECT_KEY: "in/cat.jpg",
      EVENT: '{"Records":[]}',
      EVENT_FILE: "/sluice/event.json",
      EVENT_TIME: "2026-05-06T07:08:09.000Z",
      JOB_UUID: "thumbs-1",
      REQUEST_ID: "thumbs-1",
      RESOURCE_ID: "node-1",
      OSCAR_SERVICE_NAME: "thumbs",
      OSCAR_SERVICE_TOKEN: TOKEN,
      OSCAR_SERVICE_BASE_PATH: "/system/services/thumbs/exposed",
      HOME: "/sluice/home",
      TMPDIR: "/tmp",
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      LOG_LEVEL: "INFO",
    });
  });

  it("lets variables replace defaults, secrets replace variables, and nobody what describes the attempt", () => {
    const env = scriptEnvironment(
      makeOrder({
        logLevel: "DEBUG",
        variables: { LANG: "de_DE.UTF-8", KEY: "plain", JOB_UUID: "mine", EXTRA_PAYLOAD: "{}" },
        secrets: { KEY: "secret", TMP_OUTPUT_DIR: "/elsewhere" },
      }),
      "node-1",
    );
    expect(env).toMatchObject({ LANG: "de_DE.UTF-8", KEY: "secret", EXTRA_PAYLOAD: "{}", LOG_LEVEL: "DEBUG" });
    expect(env).toMatchObject({ JOB_UUID: "thumbs-1", TMP_OUTPUT_DIR: "/sluice/out" });
  });

  it.each([
    [64 * 1024, true],
    [64 * 1024 + 1, false],
  ])("has an event of %i bytes as a variable: %s", (bytes, expected) => {
    const order = makeOrder();
    const env = scriptEnvironment(
      { ...order, event: { ...order.event, payload: "é".repeat(bytes / 2).padEnd(0) + (bytes % 2 ? "x" : "") } },
      "n",
    );
    expect("EVENT" in env).toBe(expected);
    expect(env.EVENT_FILE).toBe("/sluice/event.json");
  });

  it("gives the body of a call its made-up name and no key", () => {
    const order = makeOrder();
    const call = {
      ...order,
      event: { ...order.event, source: "http" as const, object: null },
      input: { name: "event-file-1", sizeBytes: 3 },
    };
    const env = scriptEnvironment(call, "n");
    expect(env).toMatchObject({ INPUT_FILE_PATH: "/sluice/in/event-file-1", FILE_NAME: "event-file-1" });
    expect("STORAGE_OBJECT_KEY" in env).toBe(false);
  });

  it("leaves the input's path unset when nothing is staged", () => {
    const skipping = makeOrder({ skipStageIn: true });
    expect(scriptEnvironment(skipping, "n")).toMatchObject({ FILE_NAME: "cat.jpg", STORAGE_OBJECT_KEY: "in/cat.jpg" });
    expect("INPUT_FILE_PATH" in scriptEnvironment(skipping, "n")).toBe(false);
    expect("INPUT_FILE" in scriptEnvironment(skipping, "n")).toBe(false);
    expect(stagedInputPath(skipping)).toBeNull();
    expect("FILE_NAME" in scriptEnvironment(makeOrder({}, { input: null }), "n")).toBe(false);
  });

  it("keeps an input whose key ends in no file name below TMP_INPUT_DIR", () => {
    const path = stagedInputPath(makeOrder({}, { input: { name: "a/..", sizeBytes: 1 } }));
    expect(path).toMatch(/^\/sluice\/in\/[^/]+$/);
    expect(path).not.toBe("/sluice/in/..");
  });
});
