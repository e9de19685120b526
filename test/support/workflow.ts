import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { S3Client } from "@aws-sdk/client-s3";
import { newFolder, type RunningServer } from "./server.ts";

/** One row of `GET /system/jobs`, as far as tests look. */
export interface JobRow {
  readonly id: string;
  readonly service: string;
  readonly state: string;
  readonly reason: string | null;
  readonly message: string;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly attempt: number;
  readonly input: { readonly bucket: string; readonly key: string; readonly version: number } | null;
  readonly output_count: number;
  readonly replaced_outputs: number;
  readonly hops: number;
}

/** One server-sent event of `GET /system/events`. */
export interface ChangeRow {
  readonly seq: number;
  readonly kind: string;
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function s3Of(server: RunningServer): S3Client {
  return new S3Client({
    endpoint: server.s3,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: server.admin.access_key, secretAccessKey: server.admin.secret_key },
    maxAttempts: 1,
  });
}

/** Calls the API as the administrator. */
export function api(server: RunningServer, path: string, init: RequestInit = {}): Promise<Response> {
  const basic = Buffer.from(`${server.admin.user}:${server.admin.password}`).toString("base64");
  return fetch(`${server.api}${path}`, { ...init, headers: { authorization: `Basic ${basic}`, ...init.headers } });
}

/** One service of a test: its script and what its FDL entry says beside it. */
export interface TestService {
  readonly name: string;
  readonly script: string;
  readonly input?: string;
  readonly output?: string;
  /** More keys of the entry, as YAML flow values. */
  readonly more?: Readonly<Record<string, string>>;
}

/** Writes an FDL file with its scripts and applies it through the real CLI. */
export async function applyServices(server: RunningServer, services: readonly TestService[]): Promise<void> {
  const folder = await newFolder("fdl");
  await mkdir(folder, { recursive: true });
  const entries = services.map(({ name, input, output, more = {} }) => {
    const storage = (path: string) => `[{storage_provider: minio, path: ${path}}]`;
    const keys: Record<string, string> = { name, script: `${name}.sh`, ...more };
    if (input) keys.input = storage(input);
    if (output) keys.output = storage(output);
    return `  - local:\n${Object.entries(keys)
      .map(([key, value]) => `      ${key}: ${value}\n`)
      .join("")}`;
  });
  await writeFile(join(folder, "services.yaml"), `functions:\n  oscar:\n${entries.join("")}`);
  for (const { name, script } of services) await writeFile(join(folder, `${name}.sh`), script);
  const applied = await server.cli(["apply", join(folder, "services.yaml")]);
  if (applied.code !== 0) throw new Error(`apply ended with ${applied.code}: ${applied.stderr}`);
}

/** All jobs, oldest first. */
export async function allJobs(server: RunningServer, query = ""): Promise<JobRow[]> {
  const jobs: JobRow[] = [];
  let after: string | null = "";
  while (after !== null) {
    const answer = await api(
      server,
      `/system/jobs?limit=1000${query}${after ? `&after=${encodeURIComponent(after)}` : ""}`,
    );
    if (!answer.ok) throw new Error(`GET /system/jobs answered ${answer.status}: ${await answer.text()}`);
    const page = (await answer.json()) as { jobs: JobRow[]; next: string | null };
    jobs.push(...page.jobs);
    after = page.next;
  }
  return jobs.reverse();
}

/** Waits until there are jobs and none of them is queued or running, looking twice, as an output may just be starting its job. */
export async function settled(server: RunningServer, timeoutMs = 60_000): Promise<JobRow[]> {
  const until = Date.now() + timeoutMs;
  let quiet = 0;
  while (Date.now() < until) {
    const open = await allJobs(server, "&state=QUEUED,RUNNING,DELIVERING");
    quiet = open.length === 0 ? quiet + 1 : 0;
    if (quiet >= 2) return allJobs(server);
    await sleep(50);
  }
  const open = await allJobs(server, "&state=QUEUED,RUNNING,DELIVERING");
  throw new Error(
    `${open.length} jobs are still open: ${JSON.stringify(open.slice(0, 3))}\n${server.log().slice(-3000)}`,
  );
}

/** The whole change log so far, read as a client would: by server-sent events, until none comes for a while. */
export async function changeLog(server: RunningServer, quietMs = 1000): Promise<ChangeRow[]> {
  const stop = new AbortController();
  const answer = await api(server, "/system/events?after=0", { signal: stop.signal });
  if (!answer.ok || !answer.body) throw new Error(`GET /system/events answered ${answer.status}`);
  const changes: ChangeRow[] = [];
  let timer = setTimeout(() => stop.abort(), quietMs);
  let text = "";
  try {
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), quietMs);
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) changes.push(JSON.parse(data.slice("data: ".length)));
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return changes;
}
