import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { clientFrame } from "../../support/client-frame.ts";
import { clientProgram, runProgram, tryProgram } from "../../support/client-programs.ts";
import { ACCESS_KEY, SECRET_KEY } from "../../support/s3-process.ts";

const program = clientProgram("s3cmd");

describe.skipIf(program === null)("s3cmd", () => {
  const frame = clientFrame(({ s3 }) => {
    const settings = {
      access_key: ACCESS_KEY,
      secret_key: SECRET_KEY,
      host_base: s3.host,
      host_bucket: s3.host,
      bucket_location: "eu-south-2",
      use_https: "False",
      max_retries: "1",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    writeFileSync(at("s3cfg"), ["[default]", ...lines, ""].join("\n"));
  });
  const { at, large: LARGE } = frame;

  const full = (args: string[]): string[] => ["--config", at("s3cfg"), "--no-progress", ...args];
  const options = () => ({ env: { PATH: process.env.PATH, HOME: frame.home, LC_ALL: "C.UTF-8" } });
  const s3cmd = (...args: string[]): Promise<string> => runProgram(program ?? "", full(args), options());
  const failure = async (...args: string[]): Promise<string> =>
    (await tryProgram(program ?? "", full(args), options())).stderr;
  const listed = async (folder: string): Promise<string[]> =>
    (await s3cmd("ls", "--recursive", folder))
      .trim()
      .split("\n")
      .map((line) => line.replace(/^.*(?=s3:\/\/)/, ""));

  it("makes, lists and removes buckets", async () => {
    await s3cmd("mb", "s3://made");
    expect(await s3cmd("ls")).toContain("s3://made");
    await s3cmd("put", at("small"), "s3://made/x");
    expect(await failure("rb", "s3://made")).toContain("BucketNotEmpty");
    await s3cmd("rb", "--force", "--recursive", "s3://made");
    expect(await s3cmd("ls")).not.toContain("made");
    expect(await failure("ls", "s3://made")).toContain("NoSuchBucket");
  });

  it("puts, gets, copies and moves small files and large ones by parts", async () => {
    await s3cmd("mb", "s3://files");
    await s3cmd("put", "--add-header=x-amz-meta-colour:blue", at("small"), "s3://files/a/small");
    await s3cmd("put", "--multipart-chunk-size-mb=5", at("large"), "s3://files/a/large");
    await s3cmd("cp", "s3://files/a/large", "s3://files/b/large");
    await s3cmd("mv", "s3://files/a/small", "s3://files/b/small");
    expect(await listed("s3://files")).toEqual(["s3://files/a/large", "s3://files/b/large", "s3://files/b/small"]);
    await s3cmd("get", "s3://files/b/large", at("back"));
    expect(readFileSync(at("back")).equals(LARGE)).toBe(true);
    expect(await s3cmd("info", "s3://files/b/small")).toContain("x-amz-meta-colour: blue");
    expect(await s3cmd("ls", "s3://files/")).toMatch(/DIR +s3:\/\/files\/a\/\n.*DIR +s3:\/\/files\/b\//);
    expect(await s3cmd("du", "s3://files")).toMatch(new RegExp(`^ *${2 * LARGE.length + 5} +3 objects`));
  });

  it("goes on with an upload that was left half done", async () => {
    await s3cmd("mb", "s3://resumed");
    const { UploadId = "" } = await begun("resumed", "large");
    expect(await s3cmd("multipart", "s3://resumed")).toContain(UploadId);
    await s3cmd("put", `--upload-id=${UploadId}`, "--multipart-chunk-size-mb=15", at("large"), "s3://resumed/large");
    await s3cmd("get", "s3://resumed/large", at("resumed"));
    expect(readFileSync(at("resumed")).equals(LARGE)).toBe(true);
    const other = await begun("resumed", "other");
    await s3cmd("abortmp", "s3://resumed/other", other.UploadId ?? "");
    expect(await s3cmd("multipart", "s3://resumed")).not.toContain(other.UploadId);
  });

  async function begun(Bucket: string, Key: string): Promise<{ UploadId?: string | undefined }> {
    return frame.s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  }

  it("syncs a tree both ways, and removes what went away", async () => {
    await s3cmd("mb", "s3://synced");
    const names = ["plain", "two words", "ä ö ü", "\u{1F600}", "a+b=c&d?#%", "sub/.dot", "sub/empty"];
    mkdirSync(at("tree", "sub"), { recursive: true });
    for (const name of names) writeFileSync(at("tree", name), name.endsWith("empty") ? "" : name);
    await s3cmd("sync", at("tree/"), "s3://synced/t/");
    expect((await listed("s3://synced")).toSorted()).toEqual(names.map((name) => `s3://synced/t/${name}`).toSorted());
    expect(await s3cmd("sync", at("tree/"), "s3://synced/t/")).toBe("");
    rmSync(at("tree", "two words"));
    writeFileSync(at("tree", "plain"), "changed it");
    await s3cmd("sync", "--delete-removed", at("tree/"), "s3://synced/t/");
    mkdirSync(at("again"));
    await s3cmd("sync", "s3://synced/t/", at("again/"));
    expect(readdirSync(at("again"), { recursive: true }).toSorted()).toEqual(
      readdirSync(at("tree"), { recursive: true }).toSorted(),
    );
    expect(readFileSync(at("again", "plain"), "utf8")).toBe("changed it");
    await s3cmd("del", "--recursive", "--force", "s3://synced");
    expect(await s3cmd("ls", "--recursive", "s3://synced")).toBe("");
  });

  it("reads and sets what a bucket is configured with", async () => {
    await s3cmd("mb", "s3://set-up");
    await s3cmd("expire", "--expiry-days=3", "--expiry-prefix=tmp/", "s3://set-up");
    expect(await s3cmd("getlifecycle", "s3://set-up")).toContain("<Days>3</Days>");
    const info = await s3cmd("info", "s3://set-up");
    expect(info).toContain("Location:  us-east-1");
    expect(info).toMatch(/ACL: +\S+: FULL_CONTROL/);
    writeFileSync(at("policy"), JSON.stringify({ Version: "2012-10-17", Statement: [] }));
    await s3cmd("setpolicy", at("policy"), "s3://set-up");
    expect(await s3cmd("info", "s3://set-up")).toContain("2012-10-17");
    await s3cmd("delpolicy", "s3://set-up");
    await s3cmd("put", at("small"), "s3://set-up/k");
    await s3cmd("setacl", "--acl-private", "s3://set-up/k");
    await s3cmd("modify", "--add-header=content-type:text/x", "s3://set-up/k");
    expect(await s3cmd("info", "s3://set-up/k")).toContain("MIME type: text/x");
  });
});
