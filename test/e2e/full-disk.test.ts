import { execFileSync, spawnSync } from "node:child_process";
import { rm, statfs, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newFolder, type RunningServer, startServer } from "../support/server.ts";
import { applyServices, s3Of, settled } from "../support/workflow.ts";

/** A data directory on a small file system of its own, filled to the last byte. */

let mount = "";
let server: RunningServer;

beforeAll(async () => {
  mount = await newFolder("small");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m,mode=711", "sluice-test", mount]);
  const config = join(mount, "config.yaml");
  await writeFile(config, "store:\n  keep_free: 1Mi\n");
  server = await startServer({ data: join(mount, "data"), args: ["--config", config] });
});

afterAll(async () => {
  await server?.stop();
  spawnSync("umount", [mount]);
  await rm(mount, { recursive: true, force: true });
});

async function fill(): Promise<void> {
  const { bavail, bsize } = await statfs(mount);
  spawnSync("fallocate", ["-l", String(bavail * bsize), join(mount, "filler")]);
}

it("refuses what does not fit, keeps what it has, and goes on when there is room", async () => {
  const s3 = s3Of(server);
  await applyServices(server, [
    {
      name: "copy",
      script: 'cp "$INPUT_FILE_PATH" $TMP_OUTPUT_DIR/\n',
      input: "work/in",
      output: "work/out",
      more: { disk: "8Mi" },
    },
  ]);
  await s3.send(new PutObjectCommand({ Bucket: "work", Key: "in/before", Body: "before" }));
  await settled(server);

  const large = Buffer.alloc(300 * 1024 * 1024);
  await expect(s3.send(new PutObjectCommand({ Bucket: "work", Key: "too-large", Body: large }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 507 },
  });
  await expect(s3.send(new GetObjectCommand({ Bucket: "work", Key: "too-large" }))).rejects.toMatchObject({
    name: "NoSuchKey",
  });

  await fill();
  await expect(
    s3.send(new PutObjectCommand({ Bucket: "work", Key: "in/full", Body: Buffer.alloc(100_000) })),
  ).rejects.toMatchObject({ $metadata: { httpStatusCode: 507 } });
  const kept = await s3.send(new GetObjectCommand({ Bucket: "work", Key: "in/before" }));
  expect(await kept.Body?.transformToString()).toBe("before");
  await s3.send(new DeleteObjectCommand({ Bucket: "work", Key: "in/before" }));
  await expect(s3.send(new GetObjectCommand({ Bucket: "work", Key: "in/before" }))).rejects.toMatchObject({
    name: "NoSuchKey",
  });

  await unlink(join(mount, "filler"));
  await expect
    .poll(
      () =>
        s3.send(new PutObjectCommand({ Bucket: "work", Key: "in/after", Body: "after" })).then(
          () => "stored",
          (error) => error.name,
        ),
      { timeout: 20_000, interval: 500 },
    )
    .toBe("stored");
  const jobs = await settled(server);
  expect(jobs.filter((job) => job.state !== "SUCCEEDED")).toEqual([]);
  const output = await s3.send(new GetObjectCommand({ Bucket: "work", Key: "out/after" }));
  expect(await output.Body?.transformToString()).toBe("after");
});
