import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { awsEnv, clientHome, clientProgram, missing, runProgram } from "../../support/client-programs.ts";
import { type S3Process, startS3 } from "../../support/s3-process.ts";

const CHECKS = join(import.meta.dirname, "boto3_checks.py");
const names = [...readFileSync(CHECKS, "utf8").matchAll(/^def check_(\w+)/gm)].map((match) => match[1] ?? "");

const python = pythonWithBoto3();

/** The Python that has boto3 lies beside the aws program that came with it. */
function pythonWithBoto3(): string | null {
  const aws = clientProgram("aws");
  if (aws === null) return null;
  const found = join(dirname(aws), "python");
  if (spawnSync(found, ["-c", "import boto3, awscrt"]).status === 0) return found;
  return missing("boto3 is not installed (bash scripts/setup.sh --clients installs it)");
}

describe.skipIf(python === null)("boto3", () => {
  const home = clientHome();
  let s3: S3Process;

  beforeAll(async () => {
    s3 = await startS3();
  });
  afterAll(async () => {
    await s3.stop();
    home.remove();
  });

  it.each(names)("%s", async (name) => {
    await runProgram(python ?? "", [CHECKS, name], { env: awsEnv(home.path, s3.endpoint) });
  });
});
