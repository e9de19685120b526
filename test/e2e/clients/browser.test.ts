import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { createPresignedPost, type PresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, startChromium } from "../../support/chromium.ts";
import { clientHome, clientProgram } from "../../support/client-programs.ts";
import { type S3Process, startS3 } from "../../support/s3-process.ts";

const program = clientProgram("chromium");
const LARGE = randomBytes(40 * 1024 * 1024);

describe.skipIf(program === null)("Chromium, on a page of another origin", () => {
  const home = clientHome();
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(home.path, name), content);
    return join(home.path, name);
  };
  /** Serves one page, whatever is asked for. */
  let html = "";
  let pages: Server;
  let origin: string;
  let browser: Browser;
  let s3: S3Process;

  beforeAll(async () => {
    s3 = await startS3();
    pages = createServer((_request, answer) => answer.setHeader("content-type", "text/html; charset=utf-8").end(html));
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    browser = await startChromium(program ?? "", join(home.path, "profile"));
    for (const Bucket of ["forms", "shared", "closed"]) await s3.client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    await browser.close();
    pages.close();
    await s3.stop();
    home.remove();
  });

  const stored = async (Key: string): Promise<Uint8Array | undefined> =>
    (await s3.client.send(new GetObjectCommand({ Bucket: "forms", Key }))).Body?.transformToByteArray();
  const keys = async (): Promise<string[]> =>
    ((await s3.client.send(new ListObjectsV2Command({ Bucket: "forms" }))).Contents ?? []).map(({ Key }) => Key ?? "");
  /** A form that puts what the user chooses under `up/`, and then leads back to the page. */
  const signForm = (maxBytes: number): Promise<PresignedPost> =>
    createPresignedPost(s3.client, {
      Bucket: "forms",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how S3 writes the file's own name
      Key: "up/${filename}",
      Conditions: [["content-length-range", 0, maxBytes]],
      Fields: { success_action_redirect: `${origin}/done`, "x-amz-meta-colour": "blau & grün" },
      Expires: 300,
    });
  /** The person chooses a file and presses the button. @returns the address they end at */
  async function sendForm({ url, fields }: PresignedPost, chosen: string): Promise<string> {
    const inputs = Object.entries(fields).map(
      ([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`,
    );
    html = `<!doctype html><form action="${url}" method="post" enctype="multipart/form-data">${inputs.join("")}
      <input type="file" name="file"><button>Send</button></form>`;
    await browser.open(`${origin}/form`);
    await browser.chooseFiles("input[type=file]", [chosen]);
    return browser.leave(() => browser.evaluate("document.querySelector('button').click()"));
  }

  it("uploads what a person chooses in a form, under its own name", async () => {
    const names = ["plain.txt", "ä ö \u{1F600}.txt", 'quote".txt', "100% +&=?#.txt"];
    for (const name of names) {
      const address = new URL(await sendForm(await signForm(1000), file(name, `in ${name}`)));
      expect(address.origin + address.pathname).toBe(`${origin}/done`);
      expect(address.searchParams.get("key")).toMatch(/^up\//);
    }
    const uploaded = await keys();
    expect(uploaded).toHaveLength(names.length);
    expect(uploaded).toEqual(expect.arrayContaining(["up/plain.txt", "up/ä ö \u{1F600}.txt", "up/100% +&=?#.txt"]));
    expect(Buffer.from((await stored("up/ä ö \u{1F600}.txt")) ?? []).toString()).toBe("in ä ö \u{1F600}.txt");
    const { Metadata } = await s3.client.send(new GetObjectCommand({ Bucket: "forms", Key: "up/plain.txt" }));
    expect(Metadata).toHaveProperty("colour");
  });

  it("uploads a large file, and shows why one that is too large was refused", async () => {
    const address = await sendForm(await signForm(LARGE.length), file("large", LARGE));
    expect(new URL(address).searchParams.get("bucket")).toBe("forms");
    expect(Buffer.from((await stored("up/large")) ?? []).equals(LARGE)).toBe(true);
    const refused = await sendForm(await signForm(10), file("too-large", "more than ten bytes"));
    expect(refused).toMatch(new RegExp(`^${s3.endpoint}/forms`));
    expect(await browser.evaluate("document.documentElement.textContent")).toContain("EntityTooLarge");
    const { url, fields } = await signForm(1000);
    await sendForm({ url, fields: { ...fields, key: "elsewhere/x" } }, file("x", "x"));
    expect(await browser.evaluate("document.documentElement.textContent")).toContain("AccessDenied");
    expect((await keys()).filter((key) => /too-large|elsewhere/.test(key))).toEqual([]);
  });

  it("may ask from a script what the bucket's rules allow its origin, and nothing else", async () => {
    const rule = {
      AllowedOrigins: [origin],
      AllowedMethods: ["GET", "PUT"],
      AllowedHeaders: ["content-type", "x-amz-*"],
      ExposeHeaders: ["ETag"],
    };
    const CORSConfiguration = { CORSRules: [rule] };
    await s3.client.send(new PutBucketCorsCommand({ Bucket: "shared", CORSConfiguration }));
    html = "<!doctype html><title>page</title>";
    await browser.open(origin);
    const put = async (Bucket: string): Promise<string> => {
      const command = new PutObjectCommand({ Bucket, Key: "k", ContentType: "text/x", Metadata: { a: "1" } });
      const url = await getSignedUrl(s3.client, command, { unhoistableHeaders: new Set(["x-amz-meta-a"]) });
      return browser.evaluate(`fetch(${JSON.stringify(url)}, {
        method: "PUT", body: "from a page", headers: { "content-type": "text/x", "x-amz-meta-a": "1" },
      }).then((answer) => answer.status + " " + answer.headers.get("etag"), (error) => error.message)`);
    };
    expect(await put("shared")).toMatch(/^200 "[0-9a-f]{32}"$/);
    expect(await put("closed")).toBe("Failed to fetch");
    const get = await getSignedUrl(s3.client, new GetObjectCommand({ Bucket: "shared", Key: "k" }));
    expect(await browser.evaluate(`fetch(${JSON.stringify(get)}).then((answer) => answer.text())`)).toBe("from a page");
    const remove = `fetch(${JSON.stringify(get)}, { method: "DELETE" }).catch((error) => error.message)`;
    expect(await browser.evaluate(remove)).toBe("Failed to fetch");
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket: "closed" }))).KeyCount).toBe(0);
  });
});

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
