import { describe, expect, it } from "vitest";
import { SluiceError } from "../core/errors.ts";
import type { HeldImage, ImageConfig } from "../images/image.ts";
import type { Images } from "../images/images.ts";
import { mockSandbox } from "../sandbox/drivers/mock.ts";
import type { ExecOptions, Instance, Sandbox, SandboxSpec } from "../sandbox/sandbox.ts";
import { type AttemptBench, attemptBench, makeOrder } from "./testing/attempt-bench.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const IMAGE = { image: "docker.io/library/tool:1", imageDigest: DIGEST };
const CONFIG: ImageConfig = {
  architecture: "amd64",
  os: "linux",
  env: { PATH: "/opt/tool/bin", TOOL: "1" },
  workingDirectory: "/data",
  user: "worker",
  entrypoint: ["/opt/tool/run"],
  command: ["--all"],
  diffIds: [],
};

interface Seen {
  spec: SandboxSpec | null;
  exec: ExecOptions | null;
  released: number;
}

/** A sandbox that notes what it is asked for, over the mock; and images of one. */
function watched(config: Partial<ImageConfig> = {}): { seen: Seen; sandbox: Sandbox; images: Images } {
  const seen: Seen = { spec: null, exec: null, released: 0 };
  const mock = mockSandbox({});
  const sandbox: Sandbox = {
    ...mock,
    driver: "mock",
    probe: () => mock.probe(),
    async create(spec): Promise<Instance> {
      seen.spec = spec;
      const instance = await mock.create(spec);
      return {
        exec: (options) => {
          seen.exec = options;
          return instance.exec(options);
        },
        stop: (graceMs) => instance.stop(graceMs),
        stats: () => instance.stats(),
        untouched: () => instance.untouched(),
        destroy: () => instance.destroy(),
      };
    },
  };
  const held: HeldImage = {
    digest: DIGEST,
    config: { ...CONFIG, ...config },
    layers: ["/layers/a"],
    sizeBytes: 1,
    release() {
      seen.released += 1;
    },
  };
  return { seen, sandbox, images: { hold: async () => held } as unknown as Images };
}

async function withBench(use: (bench: AttemptBench) => Promise<void>): Promise<void> {
  const bench = attemptBench();
  try {
    await use(bench);
  } finally {
    bench.remove();
  }
}

describe("an attempt in an image", () => {
  it("runs there with the image's environment, folder and user, and gives it back", () =>
    withBench(async (bench) => {
      const { seen, sandbox, images } = watched();
      const order = makeOrder({ ...IMAGE, variables: { TOOL: "2" } });
      expect((await bench.run(sandbox, order, { images })).outcome).toBe("ok");
      expect(seen.spec).toMatchObject({
        root: { kind: "image", digest: DIGEST, layers: ["/layers/a"], user: "worker" },
        workingDirectory: "/data",
      });
      expect(seen.exec?.env).toMatchObject({ PATH: "/opt/tool/bin", TOOL: "2", HOME: "/sluice/home" });
      expect(seen.exec?.argv).toEqual(["/bin/sh", "/sluice/script"]);
      expect(seen.released).toBe(1);
    }));

  it("runs the image's own program where the service has no script", () =>
    withBench(async (bench) => {
      const { seen, sandbox, images } = watched({ workingDirectory: "/" });
      await bench.run(sandbox, makeOrder({ ...IMAGE, script: "" }), { images });
      expect(seen.exec?.argv).toEqual(["/opt/tool/run", "--all"]);
      expect(seen.spec?.workingDirectory).toBe("/sluice/home");
    }));

  it("fails with a sentence where the image has no program either", () =>
    withBench(async (bench) => {
      const { seen, sandbox, images } = watched({ entrypoint: [], command: [] });
      const result = await bench.run(sandbox, makeOrder({ ...IMAGE, script: "" }), { images });
      expect(result).toMatchObject({ outcome: "image", message: expect.stringContaining("names no program") });
      expect(seen.released).toBe(1);
    }));

  it("says in the log that it pulls, once", () =>
    withBench(async (bench) => {
      const { sandbox, images } = watched();
      const pulling: Images = {
        ...images,
        async hold(image, asker, options) {
          options.onProgress?.({ layersDone: 0, layers: 3, bytesDone: 0, bytes: 2 ** 20 });
          options.onProgress?.({ layersDone: 1, layers: 3, bytesDone: 9, bytes: 2 ** 20 });
          return images.hold(image, asker, options);
        },
      };
      await bench.run(sandbox, makeOrder(IMAGE), { images: pulling });
      expect(bench.logText().match(/pulling/g)).toHaveLength(1);
      expect(bench.logText()).toContain("sluice: pulling the image docker.io/library/tool:1 (3 layers, 1Mi)\n");
    }));

  it("ends with the registry's refusal, before anything runs", () =>
    withBench(async (bench) => {
      const { seen, sandbox, images } = watched();
      const refusing: Images = {
        ...images,
        hold: () => Promise.reject(new SluiceError("IMAGE_DENIED", "Cannot pull the image: the registry says no")),
      };
      const result = await bench.run(sandbox, makeOrder(IMAGE), { images: refusing });
      expect(result).toMatchObject({
        outcome: "image",
        message: "Cannot pull the image: the registry says no",
      });
      expect(seen.spec).toBeNull();
    }));

  it("is refused where no digest was pinned, or the server has no images", () =>
    withBench(async (bench) => {
      const { sandbox, images } = watched();
      for (const [spec, over] of [
        [{ ...IMAGE, imageDigest: null }, { images }],
        [IMAGE, {}],
      ] as const) {
        const result = await bench.run(sandbox, makeOrder(spec), over);
        expect(result.message).toContain("apply the service again");
      }
    }));

  it("a cancel ends a pull, and nothing runs", () =>
    withBench(async (bench) => {
      const { seen, sandbox, images } = watched();
      const slow: Images = {
        ...images,
        hold: (_image, _asker, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason), { once: true });
            bench.abort("cancelled");
          }),
      };
      expect((await bench.run(sandbox, makeOrder(IMAGE), { images: slow })).outcome).toBe("cancelled");
      expect(seen.spec).toBeNull();
    }));
});
