import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { clientFrame } from "../../support/client-frame.ts";
import { awsEnv, clientProgram, type ProgramResult, runProgram, tryProgram } from "../../support/client-programs.ts";

/** Version 1 comes from PyPI; version 2, which most people have, from Debian. */
const program = clientProgram("aws");
const version2 = clientProgram("/usr/bin/aws");

describe.skipIf(program === null)("aws-cli", () => {
  const frame = clientFrame();
  const { at, large: LARGE } = frame;

  const options = (input?: string | Uint8Array) => ({
    env: awsEnv(frame.home, frame.s3.endpoint),
    ...(input === undefined ? {} : { input }),
  });
  const aws = (...args: string[]): Promise<string> => runProgram(program ?? "", args, options());
  const refused = (...args: string[]): Promise<ProgramResult> => tryProgram(program ?? "", args, options());
  async function api<T>(call: string, ...args: string[]): Promise<T> {
    return JSON.parse((await aws("s3api", call, ...args, "--output", "json")) || "{}") as T;
  }
  let buckets = 0;
  async function newBucket(): Promise<string> {
    const name = `cli-${buckets++}`;
    await aws("s3", "mb", `s3://${name}`);
    return name;
  }
  const listed = async (folder: string): Promise<string[]> =>
    (await aws("s3", "ls", "--recursive", folder))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/^\S+ \S+ +\d+ /, ""));

  it("makes, lists and removes buckets", async () => {
    const bucket = await newBucket();
    expect(await aws("s3", "ls")).toContain(bucket);
    await aws("s3", "cp", at("small"), `s3://${bucket}/x`);
    const full = await refused("s3", "rb", `s3://${bucket}`);
    expect(full).toMatchObject({ code: 1 });
    expect(full.stderr).toContain("BucketNotEmpty");
    await aws("s3", "rb", "--force", `s3://${bucket}`);
    expect(await aws("s3", "ls")).not.toContain(bucket);
  });

  it("copies small and large files in, out, through pipes and on the server", async () => {
    const bucket = await newBucket();
    await aws("s3", "cp", at("large"), `s3://${bucket}/large`, "--metadata", "Colour=deep blue,n=1");
    const head = await api<{ ETag: string; ContentLength: number; Metadata: object }>(
      "head-object",
      "--bucket",
      bucket,
      "--key",
      "large",
    );
    expect(head).toMatchObject({ ContentLength: LARGE.length, Metadata: { colour: "deep blue", n: "1" } });
    expect(head.ETag).toMatch(/^"[0-9a-f]{32}-5"$/);
    await aws("s3", "cp", `s3://${bucket}/large`, `s3://${bucket}/copies/large`);
    await aws("s3", "mv", `s3://${bucket}/copies/large`, `s3://${bucket}/moved`);
    await aws("s3", "cp", `s3://${bucket}/moved`, at("back"));
    expect(readFileSync(at("back")).equals(LARGE)).toBe(true);
    await runProgram(program ?? "", ["s3", "cp", "-", `s3://${bucket}/piped`], options(LARGE));
    const piped = await refused("s3", "cp", `s3://${bucket}/piped`, "-");
    expect(piped.stdout.equals(LARGE)).toBe(true);
    expect(await listed(`s3://${bucket}`)).toEqual(["large", "moved", "piped"]);
  });

  it("lists by prefix, and sums up", async () => {
    const bucket = await newBucket();
    for (const key of ["a/1", "a/b/2", "c"]) await aws("s3", "cp", at("small"), `s3://${bucket}/${key}`);
    const top = await aws("s3", "ls", `s3://${bucket}/`);
    expect(top).toMatch(/^ +PRE a\/\n\S+ \S+ +5 c\n$/);
    const all = await aws("s3", "ls", "--recursive", "--summarize", `s3://${bucket}/a`);
    expect(all).toMatch(/Total Objects: 2\n +Total Size: 10/);
    const page = await api<{ Contents: object[]; NextToken: string }>(
      "list-objects-v2",
      "--bucket",
      bucket,
      "--max-items",
      "2",
      "--page-size",
      "1",
    );
    expect(page.Contents).toHaveLength(2);
    expect(page.NextToken).toBeDefined();
  });

  it("syncs a tree both ways, and removes what went away", async () => {
    const bucket = await newBucket();
    const names = ["plain", "two words", "ä ö ü", "\u{1F600}", "a+b=c&d?", "sub/.dot", "sub/empty"];
    mkdirSync(at("tree", "sub"), { recursive: true });
    for (const name of names) writeFileSync(at("tree", name), name.endsWith("empty") ? "" : name);
    await aws("s3", "sync", at("tree"), `s3://${bucket}/t`);
    expect((await listed(`s3://${bucket}`)).toSorted()).toEqual(names.map((name) => `t/${name}`).toSorted());
    expect(await aws("s3", "sync", at("tree"), `s3://${bucket}/t`)).toBe("");
    rmSync(at("tree", "two words"));
    writeFileSync(at("tree", "plain"), "changed it");
    await aws("s3", "sync", "--delete", at("tree"), `s3://${bucket}/t`);
    await aws("s3", "sync", `s3://${bucket}/t`, at("again"));
    expect(readdirSync(at("again"), { recursive: true }).toSorted()).toEqual(
      readdirSync(at("tree"), { recursive: true }).toSorted(),
    );
    expect(readFileSync(at("again", "plain"), "utf8")).toBe("changed it");
    await aws("s3", "rm", "--recursive", `s3://${bucket}/t`);
    expect(await refused("s3", "ls", `s3://${bucket}/t`)).toMatchObject({ code: 1 });
  });

  it("keeps versions, brings them back, and names what is wrong", async () => {
    const bucket = await newBucket();
    const of = ["--bucket", bucket, "--key", "k"];
    await api("put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled");
    await aws("s3", "cp", at("small"), `s3://${bucket}/k`);
    await runProgram(program ?? "", ["s3", "cp", "-", `s3://${bucket}/k`], options("newer"));
    await aws("s3", "rm", `s3://${bucket}/k`);
    expect((await refused("s3api", "get-object", ...of, at("out"))).stderr).toContain("NoSuchKey");
    const all = await api<{ Versions: { VersionId: string }[]; DeleteMarkers: { VersionId: string }[] }>(
      "list-object-versions",
      "--bucket",
      bucket,
    );
    expect(all.Versions).toHaveLength(2);
    await api("get-object", ...of, "--version-id", all.Versions.at(1)?.VersionId ?? "", at("out"));
    expect(readFileSync(at("out"), "utf8")).toBe("hello");
    await api("delete-object", ...of, "--version-id", all.DeleteMarkers[0]?.VersionId ?? "");
    expect((await refused("s3", "cp", `s3://${bucket}/k`, "-")).stdout.toString()).toBe("newer");
    expect((await refused("s3", "ls", "s3://never-made")).stderr).toContain("NoSuchBucket");
  });

  it("reads ranges, tags objects, and keeps the checksum it is told to compute", async () => {
    const bucket = await newBucket();
    const of = ["--bucket", bucket, "--key", "k"];
    for (const algorithm of ["CRC64NVME", "SHA256"]) {
      await api("put-object", ...of, "--body", at("small"), "--checksum-algorithm", algorithm, "--tagging", "a=1");
      const head = await api<Record<string, string>>("head-object", ...of, "--checksum-mode", "ENABLED");
      expect(head[`Checksum${algorithm}`], algorithm).toMatch(/=$/);
      await api("get-object", ...of, "--checksum-mode", "ENABLED", at("out"));
      expect(readFileSync(at("out"), "utf8")).toBe("hello");
    }
    await api("get-object", ...of, "--range", "bytes=1-3", at("out"));
    expect(readFileSync(at("out"), "utf8")).toBe("ell");
    expect(await api("get-object-tagging", ...of)).toMatchObject({ TagSet: [{ Key: "a", Value: "1" }] });
  });

  it("uploads by parts on its own, lists them, and leaves an upload that it aborts", async () => {
    const bucket = await newBucket();
    const of = ["--bucket", bucket, "--key", "parts"];
    writeFileSync(at("part"), LARGE.subarray(0, 5 * 1024 * 1024));
    const { UploadId } = await api<{ UploadId: string }>("create-multipart-upload", ...of);
    const upload = [...of, "--upload-id", UploadId];
    const first = await api<{ ETag: string }>("upload-part", ...upload, "--part-number", "1", "--body", at("part"));
    const last = await api<{ ETag: string }>("upload-part", ...upload, "--part-number", "2", "--body", at("small"));
    expect((await api<{ Parts: object[] }>("list-parts", ...upload)).Parts).toHaveLength(2);
    const Parts = [first, last].map(({ ETag }, index) => ({ ETag, PartNumber: index + 1 }));
    await api("complete-multipart-upload", ...upload, "--multipart-upload", JSON.stringify({ Parts }));
    const whole = (await refused("s3", "cp", `s3://${bucket}/parts`, "-")).stdout;
    const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    expect(sum(whole)).toBe(sum(Buffer.concat([LARGE.subarray(0, 5 * 1024 * 1024), Buffer.from("hello")])));
    const other = await api<{ UploadId: string }>("create-multipart-upload", ...of);
    await api("abort-multipart-upload", ...of, "--upload-id", other.UploadId);
    expect(await api<object>("list-multipart-uploads", "--bucket", bucket)).not.toHaveProperty("Uploads");
  });

  it("puts and gets the configurations of a bucket", async () => {
    const bucket = ["--bucket", await newBucket()];
    const rules = { Rules: [{ ID: "old", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 3 } }] };
    await api("put-bucket-lifecycle-configuration", ...bucket, "--lifecycle-configuration", JSON.stringify(rules));
    expect(await api("get-bucket-lifecycle-configuration", ...bucket)).toMatchObject(rules);
    await api("put-bucket-tagging", ...bucket, "--tagging", "TagSet=[{Key=lab,Value=7}]");
    expect(await api("get-bucket-tagging", ...bucket)).toEqual({ TagSet: [{ Key: "lab", Value: "7" }] });
    const cors = { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["http://a.example"] }] };
    await api("put-bucket-cors", ...bucket, "--cors-configuration", JSON.stringify(cors));
    expect(await api("get-bucket-cors", ...bucket)).toMatchObject(cors);
    expect(await api("get-bucket-location", ...bucket)).toHaveProperty("LocationConstraint");
    expect(await api("get-bucket-acl", ...bucket)).toMatchObject({ Grants: [{ Permission: "FULL_CONTROL" }] });
  });

  it("signs addresses that anybody can read with, until they expire", async () => {
    const bucket = await newBucket();
    await aws("s3", "cp", at("small"), `s3://${bucket}/a b/ä+.txt`);
    const address = (await aws("s3", "presign", `s3://${bucket}/a b/ä+.txt`, "--expires-in", "60")).trim();
    const answer = await fetch(address);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("hello");
    const forged = await fetch(address.replace("Expires=60", "Expires=61"));
    expect(forged.status).toBe(403);
    expect(await forged.text()).toContain("SignatureDoesNotMatch");
  });
});

describe.skipIf(version2 === null)("aws-cli 2", () => {
  const frame = clientFrame(({ at, large }) => {
    mkdirSync(at("tree"));
    writeFileSync(at("tree/large"), large);
    writeFileSync(at("tree/a b+ä"), "hello");
  });
  const { at, large: LARGE } = frame;

  // The version in Debian is older than the variable for the address.
  const aws = (...args: string[]): Promise<string> =>
    runProgram(version2 ?? "", ["--endpoint-url", frame.s3.endpoint, ...args], {
      env: awsEnv(frame.home, frame.s3.endpoint),
    });

  it("syncs, copies large objects with their metadata and tags, moves, signs and removes", async () => {
    await aws("s3", "mb", "s3://second");
    await aws("s3", "sync", at("tree"), "s3://second/t", "--metadata", "colour=blue");
    await aws(
      "s3api",
      "put-object-tagging",
      "--bucket=second",
      "--key=t/large",
      "--tagging",
      "TagSet=[{Key=a,Value=1}]",
    );
    await aws("s3", "cp", "s3://second/t/large", "s3://second/copied");
    const of = ["--bucket=second", "--key=copied", "--output=json"];
    expect(JSON.parse(await aws("s3api", "head-object", ...of))).toMatchObject({ Metadata: { colour: "blue" } });
    expect(JSON.parse(await aws("s3api", "get-object-tagging", ...of))).toEqual({ TagSet: [{ Key: "a", Value: "1" }] });
    await aws("s3", "mv", "--recursive", "s3://second/t", "s3://second/moved");
    await aws("s3", "sync", "s3://second/moved", at("back"));
    expect(readFileSync(at("back/large")).equals(LARGE)).toBe(true);
    const address = (await aws("s3", "presign", "s3://second/moved/a b+ä")).trim();
    expect(await (await fetch(address)).text()).toBe("hello");
    await aws("s3", "rb", "--force", "s3://second");
    expect(await aws("s3", "ls")).toBe("");
  });
});
