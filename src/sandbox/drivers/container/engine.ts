import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";
import { SluiceError } from "../../../core/errors.ts";

/** What an engine says of itself. */
export interface EngineFacts {
  readonly kind: "Docker" | "Podman";
  readonly version: string;
  /** It runs as an ordinary user: root inside is that user on the machine. */
  readonly isRootless: boolean;
  /** It has a user namespace for all its containers. */
  readonly remapsUsers: boolean;
  readonly limitsMemory: boolean;
  readonly limitsSwap: boolean;
  readonly limitsPids: boolean;
  readonly limitsCpu: boolean;
}

export interface ContainerEnd {
  readonly exitCode: number;
  /** The kernel ended something in it for memory. */
  readonly outOfMemory: boolean;
}

/** Part of the name of the version that calls of Podman alone have. */
const PODMAN_API = "v4.0.0";
/** Making, starting and removing a container take longer on a busy machine. */
const WORK_WITHIN_MS = 120_000;
/** Between looks at a container that will soon have ended. */
const [FIRST_LOOK_MS, LAST_LOOK_MS] = [4, 500];
/** An engine that does not answer a short question by then is not there. */
const ANSWER_WITHIN_MS = 10_000;

/** The calls of the Docker Engine API that running one container takes. Podman answers them too.
 *  @see https://docs.docker.com/reference/api/engine/ */
export class Engine {
  readonly socketPath: string;
  readonly #docker: Docker;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#docker = new Docker({ socketPath });
  }

  /** @throws SluiceError SANDBOX_UNAVAILABLE, as all of these do when the engine is not there or refuses */
  async facts(): Promise<EngineFacts> {
    const answers = Promise.all([this.#docker.version(), this.#docker.info()]);
    const [version, info] = await call("ask the container engine", within(answers));
    const components: readonly { Name: string }[] = version.Components ?? [];
    const security: readonly string[] = info.SecurityOptions ?? [];
    const says = (option: string): boolean => security.some((text) => text.split(",").includes(`name=${option}`));
    return {
      kind: components.some(({ Name }) => Name.startsWith("Podman")) ? "Podman" : "Docker",
      version: version.Version,
      isRootless: info.Rootless === true || says("rootless"),
      remapsUsers: says("userns"),
      limitsMemory: info.MemoryLimit === true,
      limitsSwap: info.SwapLimit === true,
      limitsPids: info.PidsLimit === true,
      limitsCpu: info.CpuCfsQuota === true,
    };
  }

  /** @param label of the image, without spaces @returns the new image's id */
  async importRoot(tar: Readable, label: string): Promise<string> {
    const changes = `LABEL ${ROOT_LABEL}=${label}`;
    const answer = await call(GIVE, this.#docker.importImage(tar as never, { changes }));
    const lines = (await textOf(answer as unknown as Readable)).split("\n").filter((line) => line.trim() !== "");
    const said = lines.map((line) => JSON.parse(line) as { status?: string; error?: string });
    const error = said.find((line) => line.error !== undefined)?.error;
    const id = said.map(({ status }) => IMAGE_ID.exec(status ?? "")?.[0]).find((found) => found !== undefined);
    if (error === undefined && id !== undefined) return id;
    throw unavailable(GIVE, error ?? "it named no image");
  }

  /** Ids of images that were imported, each with its label. */
  async importedRoots(): Promise<readonly { readonly id: string; readonly label: string }[]> {
    const list = await call(
      "list the container engine's images",
      within(this.#docker.listImages({ filters: { label: [ROOT_LABEL] } })),
    );
    return list.map(({ Id, Labels }) => ({ id: Id, label: Labels?.[ROOT_LABEL] ?? "" }));
  }

  async removeImage(id: string): Promise<void> {
    await call(
      "remove an image of the container engine",
      unless([404], this.#docker.getImage(id).remove({ force: true })),
    );
  }

  /** @returns the container's id */
  async create(options: Docker.ContainerCreateOptions): Promise<string> {
    const { id } = await call("make a container", within(this.#docker.createContainer(options), WORK_WITHIN_MS));
    return id;
  }

  /** What its programs write from now on, in frames (see `readFrames`). */
  async attach(id: string): Promise<Readable> {
    const container = this.#docker.getContainer(id);
    const stream: NodeJS.ReadWriteStream = await call(
      "read a container's output",
      within(container.attach({ stream: true, stdout: true, stderr: true }), WORK_WITHIN_MS),
    );
    return stream as Duplex;
  }

  /** Podman only: makes its namespaces and network, and starts nothing in them. @returns a process in them */
  async prepare(id: string): Promise<number> {
    const path = `/${PODMAN_API}/libpod/containers/${id}/init`;
    const statusCodes = { 204: true, 304: true } as unknown as Record<number, string>;
    await call(
      "prepare a container",
      within(
        new Promise<void>((resolve, reject) => {
          this.#docker.modem.dial({ path, method: "POST", statusCodes, options: {} } as never, (error: unknown) =>
            error ? reject(error) : resolve(),
          );
        }),
        WORK_WITHIN_MS,
      ),
    );
    const { State } = await call("look at a container", within(this.#docker.getContainer(id).inspect()));
    return State.Pid;
  }

  async start(id: string): Promise<void> {
    await call("start a container", within(this.#docker.getContainer(id).start(), WORK_WITHIN_MS));
  }

  /** Resolves when it has ended. To be called when its output has, which is then or, where a program closed it, before: the engine's own call for this never
   *  answers when the engine dies. */
  async ended(id: string): Promise<ContainerEnd> {
    const container = this.#docker.getContainer(id);
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(LAST_LOOK_MS, waitMs * 2)) {
      const { State } = await call("look at a container", within(container.inspect()));
      if (State.Status === "exited" || State.Status === "dead") {
        return { exitCode: State.ExitCode, outOfMemory: State.OOMKilled };
      }
      await sleep(waitMs);
    }
  }

  /** Bytes that its programs have changed in its root. */
  async changedBytes(id: string): Promise<number> {
    const container = this.#docker.getContainer(id);
    const seen = await call(
      "look at a container",
      within(container.inspect({ size: true } as never) as unknown as Promise<object>),
    );
    return (seen as { SizeRw?: number }).SizeRw ?? 0;
  }

  /** Does nothing to one that does not run. */
  async signal(id: string, signal: NodeJS.Signals): Promise<void> {
    const sent = this.#docker.getContainer(id).kill({ signal }) as unknown as Promise<unknown>;
    await call(
      `send ${signal} to a container`,
      unless([404, 409], sent).catch((error: unknown) => {
        if (!IS_NOT_RUNNING.test(reasonOf(error))) throw error;
      }),
    );
  }

  async put(id: string, tar: Readable): Promise<void> {
    const answer = await call(
      "copy files into a container",
      this.#docker.getContainer(id).putArchive(tar as never, { path: "/" }),
    );
    await textOf(answer as unknown as Readable);
  }

  /** A folder or file of a container that does not run, as an archive whose names begin with its own. */
  async get(id: string, path: string): Promise<Readable> {
    return (await call(
      "copy files out of a container",
      this.#docker.getContainer(id).getArchive({ path }),
    )) as unknown as Readable;
  }

  /** Ends what runs in it. Does nothing where it is gone. */
  async remove(id: string): Promise<void> {
    const removed = this.#docker.getContainer(id).remove({ force: true, v: true });
    // 409: it is being removed already.
    await call("remove a container", within(unless([404, 409], removed), WORK_WITHIN_MS));
  }

  async containers(label: string): Promise<string[]> {
    const list = await call(
      "list the container engine's containers",
      within(this.#docker.listContainers({ all: true, filters: { label: [label] } })),
    );
    return list.map(({ Id }) => Id);
  }
}

const GIVE = "give the image to the container engine";
const ROOT_LABEL = "sluice.root";
/** Podman's answer is the status of its own defects. */
const IS_NOT_RUNNING = /can only kill running containers|is not running/;
const IMAGE_ID = /^sha256:[0-9a-f]{64}/;

async function call<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw unavailable(what, reasonOf(error), error);
  }
}

function unavailable(what: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError("SANDBOX_UNAVAILABLE", `Cannot ${what}: ${why}`, { cause });
}

/** Of a socket, or of an answer. */
interface EngineError {
  readonly json?: { readonly message?: string };
  readonly message?: string;
  readonly code?: string;
  readonly address?: string;
}

/** The engine's own sentence, where it gave one. */
function reasonOf(error: unknown): string {
  const { json, message, code, address } = error as EngineError;
  if (code === "ECONNREFUSED" || code === "ENOENT" || code === "EACCES") {
    return `its socket ${address ?? ""} does not answer (${code})`;
  }
  return (json?.message ?? message ?? String(error)).split("\n")[0] ?? "";
}

/** @param statuses that are no failure */
async function unless(statuses: readonly number[], answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!statuses.includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
  }
}

async function within<T>(answer: Promise<T>, ms = ANSWER_WITHIN_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the engine did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(stream: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}
