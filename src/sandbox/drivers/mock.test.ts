import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SandboxBench } from "../testing/sandbox-bench.ts";
import { type MockOptions, mockSandbox } from "./mock.ts";

let bench: SandboxBench;
beforeEach(async () => {
  bench = await SandboxBench.open("mock");
});
afterEach(() => bench.close());

async function exec(options: MockOptions, env: Record<string, string> = {}): Promise<unknown> {
  const instance = await mockSandbox(options).create(bench.spec(bench.workFolder()));
  return await instance.exec({ argv: ["script"], env, separateStdout: false, onOutput: () => {} });
}

test("a behaviour sees the run and decides its end", async () => {
  const options: MockOptions = { behaviour: ({ env }) => ({ exitCode: env.OSCAR_SERVICE_NAME === "broken" ? 7 : 0 }) };
  expect(await exec(options, { OSCAR_SERVICE_NAME: "broken" })).toMatchObject({ exitCode: 7 });
  expect(await exec(options, { OSCAR_SERVICE_NAME: "fine" })).toMatchObject({ exitCode: 0 });
});

test("it can say that a limit ended the run, and give notes", async () => {
  const order = { limit: "memory", signal: "SIGKILL", notes: ["1 background process was killed"] } as const;
  expect(await exec({ behaviour: () => order })).toMatchObject({ exitCode: null, ...order });
});

test("it can be unable to start", async () => {
  await expect(exec({ behaviour: () => ({ unavailable: "told so" }) })).rejects.toMatchObject({
    code: "SANDBOX_UNAVAILABLE",
  });
});

test("a slow run is cut short by stop and by the wall clock", async () => {
  const stopped = bench.run("", { mock: { sleepMs: 60_000 }, whileRunning: (instance) => instance.stop(10) });
  expect(await stopped).toMatchObject({ signal: "SIGTERM", limit: null });
  expect(await bench.run("", { mock: { sleepMs: 60_000 }, limits: { wallMs: 5 } })).toMatchObject({ limit: "wall" });
});

test("files go to the mount that holds their path, and nowhere else", async () => {
  const [work, output] = [bench.workFolder(), bench.workFolder()];
  const mounts = [
    { kind: "folder", source: output, target: "/work/out", readOnly: false },
    { kind: "folder", source: work, target: "/input", readOnly: true },
  ] as const;
  await bench.run("", { mock: { files: { "out/a/b": "1", note: "2" } }, mounts }, work);
  expect(readFileSync(`${output}/a/b`, "utf8")).toBe("1");
  expect(readFileSync(`${work}/note`, "utf8")).toBe("2");
  for (const path of ["/etc/passwd", "/input/x"]) {
    await expect(bench.run("", { mock: { files: { [path]: "" } }, mounts })).rejects.toThrow(/no writable mount/);
  }
});

test("networks can be taken away", async () => {
  const spec = bench.spec(bench.workFolder(), { network: "outbound" });
  await expect(mockSandbox({ networks: ["none"] }).create(spec)).rejects.toMatchObject({ code: "NETWORK_UNSUPPORTED" });
  expect((await mockSandbox({ networks: ["none"] }).probe()).networks).toEqual(["none"]);
});
