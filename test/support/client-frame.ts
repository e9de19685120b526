import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { clientHome } from "./client-programs.ts";
import { type S3Process, startS3 } from "./s3-process.ts";

/** What the tests of one client have: a store of their own, and a home folder with a small file (`small`: "hello") and a large one (`large`). */
export interface ClientFrame {
  /** While the tests run. */
  readonly s3: S3Process;
  readonly home: string;
  /** What is in `large`: more than any client sends in one part. */
  readonly large: Buffer;
  at(...names: string[]): string;
}

/** To be called in a `describe`. @param prepare runs before the first test, when the store is there */
export function clientFrame(prepare: (frame: ClientFrame) => unknown = () => {}): ClientFrame {
  const home = clientHome();
  const large = randomBytes(40 * 1024 * 1024);
  let s3: S3Process | undefined;
  const frame: ClientFrame = {
    get s3() {
      if (s3 === undefined) throw new Error("the store is there while tests run");
      return s3;
    },
    get home() {
      return home.path;
    },
    large,
    at: (...names) => join(home.path, ...names),
  };
  beforeAll(async () => {
    s3 = await startS3();
    writeFileSync(frame.at("small"), "hello");
    writeFileSync(frame.at("large"), large);
    await prepare(frame);
  });
  afterAll(async () => {
    await s3?.stop();
    home.remove();
  });
  return frame;
}
